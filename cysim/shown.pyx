"""The view of the only instrument of a run, whose bid, ask and position are attributes at hand.

CPython 3.11 and newer read such an attribute within the bytecode, in a fraction of the time that a property of C takes.
The values are brought up to date before a hook is called: nothing changes them while it runs.

Its `quote` answers the usual calls, with plain floats and ints in the order of the parameters, and leaves all others,
above all those that raise, to that of `Context`.
"""

cimport cython
from cpython.float cimport PyFloat_AS_DOUBLE, PyFloat_CheckExact
from cpython.long cimport PyLong_AsLongLongAndOverflow, PyLong_CheckExact
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from cpython.object cimport PyObject, PyTypeObject
from cpython.ref cimport Py_XDECREF
from libc.stdint cimport int64_t
from libc.string cimport memcpy

from cysim.context cimport Context
from cysim.desk cimport set_quotes
from cysim.native cimport passive_ticks
from cysim.types cimport BUY, LIMIT, OK, SELL

cdef extern from *:
    """
    #include <structmember.h>

    typedef PyObject *(*mmbt_fastcall)(PyObject *self, PyObject **values, Py_ssize_t count, PyObject *names);

    static PyMemberDef mmbt_members[3];
    static PyMethodDef mmbt_method;

    static int mmbt_add_descriptor(PyTypeObject *type, const char *name, PyObject *descriptor)
    {
        int failed;
        if (descriptor == NULL)
            return -1;
        failed = PyDict_SetItemString(type->tp_dict, name, descriptor);
        Py_DECREF(descriptor);
        PyType_Modified(type);
        return failed;
    }

    static int mmbt_add_member(PyTypeObject *type, int place, const char *name, Py_ssize_t offset, const char *doc)
    {
        PyMemberDef *member = &mmbt_members[place];
        member->name = name;
        member->type = T_OBJECT_EX;
        member->offset = offset;
        member->flags = READONLY;
        member->doc = doc;
        return mmbt_add_descriptor(type, name, PyDescr_NewMember(type, member));
    }

    static int mmbt_add_method(PyTypeObject *type, const char *name, mmbt_fastcall function, const char *doc)
    {
        mmbt_method.ml_name = name;
        mmbt_method.ml_meth = (PyCFunction)(void (*)(void))function;
        mmbt_method.ml_flags = METH_FASTCALL | METH_KEYWORDS;
        mmbt_method.ml_doc = doc;
        return mmbt_add_descriptor(type, name, PyDescr_NewMethod(type, &mmbt_method));
    }
    """
    ctypedef PyObject* (*fastcall "mmbt_fastcall")(
        PyObject* self, PyObject** values, Py_ssize_t count, PyObject* names) noexcept
    int add_member "mmbt_add_member" (
        PyTypeObject* type, int place, const char* name, Py_ssize_t offset, const char* doc) except -1
    int add_method "mmbt_add_method" (
        PyTypeObject* type, const char* name, fastcall function, const char* doc) except -1

cdef extern from "Python.h":
    Py_ssize_t PyTuple_GET_SIZE(PyObject* names) noexcept
    PyObject* PyTuple_GET_ITEM(PyObject* names, Py_ssize_t place) noexcept
    PyObject* PyObject_Vectorcall(PyObject* function, PyObject** values, size_t count, PyObject* names) noexcept
    PyObject* PyErr_NoMemory() noexcept

cdef enum:
    USUAL = 3                    # parameters of `quote`: all but post_only

cdef tuple NAMES = ("bid", "ask", "qty")
cdef object ANY_QUOTE = Context.quote
cdef bytes QUOTE_DOC = (
    f"quote($self, /, bid=None, ask=None, qty=1, post_only=True)\n--\n\n{Context.quote.__doc__}".encode())


@cython.final
cdef class ShownContext(Context):
    def __cinit__(self):
        self._bid_px = self._ask_px = self._lots = -1
        renew(&self._bid, &self._bid_px, 0, 1)
        renew(&self._ask, &self._ask_px, 0, 1)
        renew(&self._position, &self._lots, 0, 1)

    def __dealloc__(self):
        Py_XDECREF(self._bid)
        Py_XDECREF(self._ask)
        Py_XDECREF(self._position)


# How many values are given, in the order of the parameters; 0 where a name is out of it.
cdef inline Py_ssize_t usual_count(Py_ssize_t count, PyObject* names) noexcept:
    cdef Py_ssize_t place, named = PyTuple_GET_SIZE(names) if names != NULL else 0
    if count + named > USUAL:
        return 0
    for place in range(named):
        if PyTuple_GET_ITEM(names, place) != PyTuple_GET_ITEM(<PyObject*>NAMES, count + place):
            return 0
    return count + named


# A wanted price as price units, 0 for None; -1 where it is unusual.
cdef inline int64_t usual_px(ShownContext context, PyObject* value, int side) noexcept:
    cdef int overflow = 0
    cdef double ticks
    if PyFloat_CheckExact(<object>value):
        ticks = passive_ticks(PyFloat_AS_DOUBLE(<object>value), side)
    elif PyLong_CheckExact(<object>value):
        ticks = <double>PyLong_AsLongLongAndOverflow(<object>value, &overflow)    # beyond 64 bits it is -1
    else:
        return 0 if <object>value is None else -1
    return <int64_t>ticks * context._instrument.tick_units if 1 <= ticks < context._end_ticks else -1


cdef inline int64_t usual_qty(PyObject* value) noexcept:
    cdef int overflow = 0
    return PyLong_AsLongLongAndOverflow(<object>value, &overflow) if PyLong_CheckExact(<object>value) else -1


cdef PyObject* quote_anyhow(PyObject* self, PyObject** values, Py_ssize_t count, PyObject* names) noexcept:
    cdef size_t given = <size_t>(count + (PyTuple_GET_SIZE(names) if names != NULL else 0))
    cdef PyObject** all_values = <PyObject**>PyMem_Malloc((given + 1) * sizeof(PyObject*))
    cdef PyObject* answer
    if all_values == NULL:
        return PyErr_NoMemory()
    all_values[0] = self
    memcpy(all_values + 1, values, given * sizeof(PyObject*))
    answer = PyObject_Vectorcall(<PyObject*>ANY_QUOTE, all_values, <size_t>count + 1, names)
    PyMem_Free(all_values)
    return answer


cdef PyObject* quote(PyObject* self, PyObject** values, Py_ssize_t count, PyObject* names) noexcept:
    cdef ShownContext context = <ShownContext>self
    cdef Py_ssize_t given = usual_count(count, names)
    cdef int64_t bid_px, ask_px, lots = 1
    if given < 2 or not context._venue.open_for_commands:
        return quote_anyhow(self, values, count, names)
    bid_px = usual_px(context, values[0], BUY)
    ask_px = usual_px(context, values[1], SELL)
    if given == USUAL:
        lots = usual_qty(values[2])
    if bid_px < 0 or ask_px < 0 or not 0 < lots < LIMIT:
        return quote_anyhow(self, values, count, names)
    set_quotes(context._venue, context._index, &bid_px, 1, &ask_px, 1, lots, True)
    if context._venue.status != OK:
        return quote_anyhow(self, values, count, names)                  # which raises
    Py_INCREF(None)
    return <PyObject*>None


cdef int add_members() except -1:
    cdef ShownContext any_one = ShownContext.__new__(ShownContext)
    cdef PyTypeObject* type = <PyTypeObject*>ShownContext
    cdef char* start = <char*><void*>any_one
    add_member(type, 0, b"bid", <char*>&any_one._bid - start, b"The market's best bid in ticks; 0 when there is none.")
    add_member(type, 1, b"ask", <char*>&any_one._ask - start,
               b"The market's best offer in ticks; 0 when there is none.")
    add_member(type, 2, b"position", <char*>&any_one._position - start,
               b"Lots held, as far as the strategy has been told; negative when short.")
    return add_method(type, b"quote", quote, QUOTE_DOC)


add_members()
