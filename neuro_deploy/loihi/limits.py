"""Limits of the chip's number formats, each with its reason.

Sources: the register widths in the docstrings of Lava's ``PyLifModelBitAcc`` (lava-nc 0.10.0) and of its ``Dense``; the weight
ranges of ``lava.utils.weightutils``.
"""

# Synapses: 8 bits. With a sign bit shared by the matrix they count 0..255; in a mixed matrix one bit is the sign, so steps of 2.
WEIGHT_MIN_MIXED = -256
WEIGHT_MAX_MIXED = 254
WEIGHT_STEP_MIXED = 2
WEIGHT_MAX_UNSIGNED = 255

# vThMant: 17-bit unsigned; 0 would fire at any positive voltage and is of no use to a relay or a read-out.
THRESHOLD_MIN = 1
THRESHOLD_MAX = (1 << 17) - 1

# iDecay is stored as du = iDecay - 1 in 12 unsigned bits.
CURRENT_DECAY_MIN = 1
CURRENT_DECAY_MAX = 1 << 12

# vDecay is stored as it is in 12 unsigned bits, so a voltage without any memory (4096) does not exist.
VOLTAGE_DECAY_MIN = 0
VOLTAGE_DECAY_MAX = (1 << 12) - 1

# bias_mant: 13-bit signed.
BIAS_MIN = -(1 << 12)
BIAS_MAX = (1 << 12) - 1

# u and v: 24-bit signed. u wraps (Lava keeps +2**23 and loses -2**23), v saturates one below.
STATE_MAX = (1 << 23) - 1

# Payload of a graded spike.
MESSAGE_BITS_MAX = 24
