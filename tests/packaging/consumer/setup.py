from Cython.Build import cythonize
from setuptools import Extension, setup

# -ffp-contract=off: the same digits on machines with a fused multiply-add
native = Extension("lean_maker.native", ["lean_maker/native.pyx"], extra_compile_args=["-ffp-contract=off"])

setup(ext_modules=cythonize([native], compiler_directives={"language_level": 3, "cdivision": True}))
