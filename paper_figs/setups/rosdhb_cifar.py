"""RoSDHB on CIFAR-10 (JPEG copies): the settings of Figures 7 and 8, whose content is assumed.

From the authors' code: ResNet-18 with BatchNorm, one mini-batch of 128 a round, k/d = 0.25,
Dirichlet(5) division, β = 0.9, and for Byz-DASHA-PAGE a full local gradient with probability
128/5000. Not as there: no crops and flips of the training images, the dense start of
Byz-DASHA-PAGE, and step sizes chosen by the common rule of `rosdhb_images`. Unknown of the paper:
the number of rounds; chosen are 3000, about 85 passes over the local images.

The images are decoded from JPEG copies of CIFAR-10, so their pixels differ a little from the
published ones. "quick" is none of this: it has the digits and the small conv net, with mini-batches
and the coin. "default" has the small conv net on a part of the images.
"""

from paper_figs.setups.rosdhb_images import Setting

QUICK = Setting(
    data="digits", train=None, test=None, rounds=100, every=10, seeds=3,
    grid=(0.064, 0.256), tuning_seeds=1, batch=32, probability=32 / 135, reference=0.25,
)  # fmt: skip
DEFAULT = Setting(
    data="cifar10", train=4000, test=2000, rounds=300, every=20, seeds=3, chunk=60,
    grid=(0.002, 0.004, 0.016, 0.064, 0.256), tuning_seeds=1, batch=64, probability=64 / 360,
    reference=0.25,
)  # fmt: skip
FULL = Setting(
    data="cifar10", train=None, test=None, rounds=3000, every=50, seeds=5,
    grid=(0.035, 0.07, 0.14, 0.28, 0.56), batch=128, model="ResNet-18",
    probability=128 / 4500, reference=0.25,
)  # fmt: skip
