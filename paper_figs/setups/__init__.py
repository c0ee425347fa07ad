"""Settings that several figures share, with the runs made once for all of them.

rosdhb_images   RoSDHB and Byz-DASHA-PAGE on images: rosdhb_fig1 to fig8, rosdhb_tables
"""
