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

# A core: Davies et al., "Loihi: A Neuromorphic Manycore Processor with On-Chip Learning", IEEE Micro 38(1), 2018, has 128 cores of
# 1,024 compartments; 4,096 axons in and out, 128 KB of synaptic memory: the limits that nengo-loihi checks.
CORE_COMPARTMENTS = 1024
CORE_AXONS = 4096
CORE_SYNAPSE_BITS = 128 * 1024 * 8

# A synapse stored one by one: a weight of 8 bits and its target among the 1,024 compartments of the core. Lists of neighbouring
# targets need less, so this counts too much rather than too little.
SYNAPSE_BITS = 8 + 10

# The chip: a mesh of 8 x 4 tiles of 4 cores, numbered down the columns as SANA-FE 2.2.9 (loihi.yaml) numbers them.
MESH_WIDTH = 8
MESH_HEIGHT = 4
TILE_CORES = 4
CHIP_CORES = MESH_WIDTH * MESH_HEIGHT * TILE_CORES
CHIP_NEURONS = CHIP_CORES * CORE_COMPARTMENTS

# Steps that an axon can hold a spike back.
DELAY_MAX = 62
