"""A NetX network in Lava as one process instead of a tree of them: the same ports, the same spikes, many times the speed.

It works with any file that ``lava.lib.dl.netx.hdf5.Network`` loads into ``dense`` and ``dense_rec`` layers of CUBA neurons, whoever
made it, and with any process that is connected to the network. Stock Lava, then fused::

    net = hdf5.Network(net_config="model.net", input_message_bits=5)
    source.s_out.connect(net.inp)
    net.run(condition=RunSteps(1000), run_cfg=Loihi2SimCfg(select_tag="fixed_pt"))

    net = hdf5.Network(net_config="model.net", input_message_bits=5)
    source.s_out.connect(net.inp)
    record = Record.of(net, steps=1000)  # leave it out to record nothing
    net.run(condition=RunSteps(1000), run_cfg=FusedRunCfg(net, record=record))
    record.layer(3)  # uint8 [1000, neurons]
    record.voltages  # int32 [1000, neurons of the last layer]
    net.layers[-1].neuron.v.get()
    net.stop()

The output at each step, and so the latency, is that of stock Lava. Importing this package imports Lava.
"""

from neuro_deploy.fused.model import FusedRunCfg, Record

__all__ = ["FusedRunCfg", "Record"]
