"""Operations that are given to the compiler as vector instructions of its intermediate language.

It turns them into those of the processor at hand; its own vectoriser would have to prove first that sums and weights do not overlap,
and cannot for rows this short.
"""

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import cgutils, types
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
            weight = builder.mul(_splat(builder, arguments[4], length), weight)
            builder.store(builder.add(total, weight), into, align=size)
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


def _gatherer(length: int, *, scaled: bool) -> Any:
    @intrinsic  # type: ignore[untyped-decorator]
    def add(
        typing: Any, sums: Any, target: Any, weights: Any, start: Any, rows: Any, count: Any, factors: Any, first: Any
    ) -> Any:
        """``sums[target : target + length] += weights[start + rows[i] : start + rows[i] + length]`` for the first ``count`` rows.

        Scaled: ``factors[first + i]`` times each.
        """

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            element = context.get_value_type(sums.dtype)
            vector = ir.VectorType(element, length)
            into = _vector(context, builder, signature, arguments, 0, length)
            total = cgutils.alloca_once(builder, vector)
            builder.store(builder.load(into, align=sums.dtype.bitwidth // 8), total)
            with cgutils.for_range(builder, arguments[5]) as loop:
                row = _element(context, builder, signature, arguments, 4, loop.index)
                start = builder.add(arguments[3], row)
                from_ = _pointer(context, builder, signature.args[2], arguments[2], start, length)
                weight = builder.load(from_, align=weights.dtype.bitwidth // 8)
                if weight.type != vector:
                    weight = builder.sext(weight, vector)
                if scaled:
                    factor = _element(context, builder, signature, arguments, 6, builder.add(arguments[7], loop.index))
                    factor = context.cast(builder, factor, factors.dtype, sums.dtype)
                    weight = builder.mul(_splat(builder, factor, length), weight)
                builder.store(builder.add(builder.load(total), weight), total)
            builder.store(builder.load(total), into, align=sums.dtype.bitwidth // 8)
            return context.get_dummy_value()

        signature = types.void(sums, types.int64, weights, types.int64, rows, types.int64, factors, types.int64)
        return signature, generate

    return add


def _element(context: Any, builder: Any, signature: Any, arguments: Any, place: int, index: Any) -> Any:
    array = context.make_array(signature.args[place])(context, builder, arguments[place])
    return builder.load(builder.gep(array.data, [index]))


def _splat(builder: Any, value: Any, length: int) -> Any:
    vector = ir.Constant(ir.VectorType(value.type, length), ir.Undefined)
    for place in range(length):
        vector = builder.insert_element(vector, value, ir.IntType(32)(place))
    return vector


add_16, add_8, add_4 = (_adder(length) for length in (16, 8, 4))
scaled_16, scaled_8, scaled_4 = (_scaled_adder(length) for length in (16, 8, 4))
gather_16, gather_8, gather_4, gather_1 = (_gatherer(length, scaled=False) for length in (16, 8, 4, 1))
scaled_gather_16, scaled_gather_8, scaled_gather_4, scaled_gather_1 = (
    _gatherer(length, scaled=True) for length in (16, 8, 4, 1)
)


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
    return _pointer(context, builder, signature.args[place], arguments[place], arguments[place + 1], length)


def _pointer(context: Any, builder: Any, kind: Any, values: Any, index: Any, length: int) -> Any:
    array = context.make_array(kind)(context, builder, values)
    vector = ir.VectorType(context.get_value_type(kind.dtype), length)
    return builder.bitcast(builder.gep(array.data, [index]), vector.as_pointer())
