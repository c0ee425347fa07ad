"""What published code does differently from the method that it names, one file a code base.

rosdhb   RoSDHB and its Byz-DASHA-PAGE baseline
dm21     Byz-DM21 and its baselines
dasha    Byz-DASHA-PAGE and Byz-EF21
marina   Byz-VR-MARINA
common   what more than one of them does

A deviation is a value or a wrapper that is used in place of a part of the library, so that each can
be switched on alone. Those that make a run meaningless are described and not implemented. Whether
published curves were made with them is not known.
"""
