"""Settings that several figures share, with the runs made once for all of them.

rosdhb_images   RoSDHB and Byz-DASHA-PAGE on images: rosdhb_fig1 to fig8, rosdhb_tables
rosdhb_attacks  FOE and ALIE of those figures, searched and canonical
rosdhb_curves   accuracy curves of that setting over f, k/d and attacks: rosdhb_fig5 to fig8
rosdhb_cifar    the setting of Figures 7 and 8
logistic        excess loss on rows of unit norm: dm21_a9a, dm21_pl, dasha_logreg, marina_logreg
"""
