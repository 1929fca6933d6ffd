"""Out-of-distribution detection: distance to the training images, nearest neighbours.

Features of a frozen network at six depths, and a small grey copy of the image that
knows left from right, are standardised over the training images. At each depth the
main directions in which those vary are kept; what a new image has beside them is its
residual there (the "virtual logit" idea of Wang et al. 2022, CVPR, without the logit).
Log residuals are put on the scale of familiar images and joined by log-sum-exp, so
that being strange at one depth is enough. On public X-rays this told other data sets,
photographs, noise and blanks apart as well as the distance to the nearest neighbour
did, needs no training image, and costs the same among a hundred or a million of them.

All is measured from the mean of the class that an image is nearest to. From the mean of
all, what lies between two classes (an abdomen, between radiographs and slices of the
chest) is no farther than each of them.

Validation images are often too few to say how far a familiar image may lie. Training
images are therefore judged, too, each by directions that were found without it and
without the other images of its patient: cross-fitting, as in Barber et al. 2021,
"Predictive inference with the jackknife+", Annals of Statistics 49.
"""
