"""The view of the only instrument of a run, whose bid, ask and position are attributes at hand.

CPython 3.11 and newer read such an attribute within the bytecode, in a fraction of the time that a property of C takes.
The values are brought up to date before a hook is called: nothing changes them while it runs.
"""

cimport cython
from cpython.object cimport PyTypeObject
from cpython.ref cimport Py_XDECREF

from cysim.context cimport Context

cdef extern from *:
    """
    #include <structmember.h>

    static PyMemberDef mmbt_members[3];

    static int mmbt_add_member(PyTypeObject *type, int place, const char *name, Py_ssize_t offset, const char *doc)
    {
        PyMemberDef *member = &mmbt_members[place];
        PyObject *descriptor;
        int failed;
        member->name = name;
        member->type = T_OBJECT_EX;
        member->offset = offset;
        member->flags = READONLY;
        member->doc = doc;
        descriptor = PyDescr_NewMember(type, member);
        if (descriptor == NULL)
            return -1;
        failed = PyDict_SetItemString(type->tp_dict, name, descriptor);
        Py_DECREF(descriptor);
        PyType_Modified(type);
        return failed;
    }
    """
    int add_member "mmbt_add_member" (
        PyTypeObject* type, int place, const char* name, Py_ssize_t offset, const char* doc) except -1


@cython.final
cdef class ShownContext(Context):
    def __cinit__(self):
        self._bid_ticks = self._ask_ticks = self._lots = -1
        renew(&self._bid, &self._bid_ticks, 0)
        renew(&self._ask, &self._ask_ticks, 0)
        renew(&self._position, &self._lots, 0)

    def __dealloc__(self):
        Py_XDECREF(self._bid)
        Py_XDECREF(self._ask)
        Py_XDECREF(self._position)


cdef int add_members() except -1:
    cdef ShownContext any_one = ShownContext.__new__(ShownContext)
    cdef PyTypeObject* type = <PyTypeObject*>ShownContext
    cdef char* start = <char*><void*>any_one
    add_member(type, 0, b"bid", <char*>&any_one._bid - start, b"The market's best bid in ticks; 0 when there is none.")
    add_member(type, 1, b"ask", <char*>&any_one._ask - start,
               b"The market's best offer in ticks; 0 when there is none.")
    add_member(type, 2, b"position", <char*>&any_one._position - start,
               b"Lots held, as far as the strategy has been told; negative when short.")
    return 0


add_members()
