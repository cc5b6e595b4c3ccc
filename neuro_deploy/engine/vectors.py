"""Operations that are given to the compiler as vector instructions of its intermediate language.

It turns them into those of the processor at hand; its own vectoriser would have to prove first that sums and weights do not overlap,
and cannot for rows this short.
"""

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import types
from numba.extending import intrinsic

WORD = 64
"""Neurons whose spikes are looked at together."""


def _adder(length: int) -> Any:
    @intrinsic  # type: ignore[untyped-decorator]
    def add(typing: Any, sums: Any, target: Any, weights: Any, start: Any) -> Any:
        """``sums[target : target + length] += weights[start : start + length]``."""

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            into, total, weight, size = _loaded(context, builder, signature, arguments, length)
            builder.store(builder.add(total, weight), into, align=size)
            return context.get_dummy_value()

        return types.void(sums, types.uint64, weights, types.uint64), generate

    return add


def _scaled_adder(length: int) -> Any:
    @intrinsic  # type: ignore[untyped-decorator]
    def add(typing: Any, sums: Any, target: Any, weights: Any, start: Any, factor: Any) -> Any:
        """``sums[target : target + length] += factor * weights[start : start + length]``."""

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            into, total, weight, size = _loaded(context, builder, signature, arguments, length)
            factors = ir.Constant(total.type, ir.Undefined)
            for place in range(length):
                factors = builder.insert_element(factors, arguments[4], ir.IntType(32)(place))
            builder.store(builder.add(total, builder.mul(factors, weight)), into, align=size)
            return context.get_dummy_value()

        return types.void(sums, types.uint64, weights, types.uint64, sums.dtype), generate

    return add


def _loaded(context: Any, builder: Any, signature: Any, arguments: Any, length: int) -> Any:
    """Where sums are, the sums, the weights in the sums' type, and the size of a sum."""
    into, from_ = (_vector(context, builder, signature, arguments, place, length) for place in (0, 2))
    size = [signature.args[place].dtype.bitwidth // 8 for place in (0, 2)]
    total, weight = builder.load(into, align=size[0]), builder.load(from_, align=size[1])
    if weight.type != total.type:
        weight = builder.sext(weight, total.type)
    return into, total, weight, size[0]


add_16, add_8, add_4 = (_adder(length) for length in (16, 8, 4))
scaled_16, scaled_8, scaled_4 = (_scaled_adder(length) for length in (16, 8, 4))


@intrinsic  # type: ignore[untyped-decorator]
def mask(typing: Any, flags: Any, start: Any) -> Any:
    """Bit ``i`` says whether ``flags[start + i]``, uint8, is not zero; ``WORD`` of them."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        values = builder.load(_vector(context, builder, signature, arguments, 0, WORD), align=1)
        return builder.bitcast(builder.icmp_unsigned("!=", values, ir.Constant(values.type, [0] * WORD)), ir.IntType(WORD))

    return types.uint64(flags, types.uint64), generate


@intrinsic  # type: ignore[untyped-decorator]
def cast(typing: Any, like: Any, value: Any) -> Any:
    """An integer in the type of an array's elements, which those of Numba leave at each operation; cut or sign-extended."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return context.cast(builder, arguments[1], signature.args[1], signature.return_type)

    return like.dtype(like, value), generate


def _vector(context: Any, builder: Any, signature: Any, arguments: Any, place: int, length: int) -> Any:
    """Pointer to a vector within an array; argument ``place`` is the array and the next one the index of its first element."""
    kind = signature.args[place]
    array = context.make_array(kind)(context, builder, arguments[place])
    vector = ir.VectorType(context.get_value_type(kind.dtype), length)
    return builder.bitcast(builder.gep(array.data, [arguments[place + 1]]), vector.as_pointer())
