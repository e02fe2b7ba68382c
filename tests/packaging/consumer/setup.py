from Cython.Build import cythonize
from setuptools import Extension, setup

import cysim

# -ffp-contract=off: the same digits on machines with a fused multiply-add
native = Extension("lean_maker.native", ["lean_maker/native.pyx"], extra_compile_args=["-ffp-contract=off"])

setup(ext_modules=cythonize([native], include_path=[cysim.get_include()],
                            compiler_directives={"language_level": 3, "cdivision": True}))
