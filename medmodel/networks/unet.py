"""U-Nets for segmentation (Ronneberger et al. 2015, MICCAI).

The encoder is EfficientNet-Lite0 with its ImageNet weights, or a compact CNN from
scratch; the decoder doubles the size step by step and takes at each size what the
encoder saw there. Flat graphs, as in `models`.
"""

from __future__ import annotations

import keras
from keras import layers

from medmodel.core.preprocessing import Preprocessing
from medmodel.networks.efficientnet import lite_maps
from medmodel.networks.lite import OFFSET, SCALE
from medmodel.networks.models import scaled_pixels
from medmodel.networks.pretrained import efficientnet_lite0_weights

_SKIPS = (0, 2, 4, 10)
"""The encoder's last block of each size: a half, a quarter, an eighth, a sixteenth."""
_DEEPEST = 15
"""The last block, at a 32nd of the size."""
_COMPACT_FILTERS = (16, 32, 64)
_BACKGROUND = 3.0
"""Log odds at the start of the background against any other class."""
_FILTERS = (16, 16, 32, 64, 96)
"""Of the decoder, from the full size to a sixteenth."""


def build_unet(
    name: str,
    preprocessing: Preprocessing,
    num_classes: int,
    pretrained: bool = True,
    seed: int = 0,
) -> keras.Model:
    """A U-Net under the current dtype policy.

    Args:
        name: `unet_lite0` or `compact_unet`.
        preprocessing: Size and channels of the input.
        num_classes: Number of outputs, the background included: at least 2.
        pretrained: Whether `unet_lite0` begins with its ImageNet weights. Its batch
            normalisation then stays as it is: with few images per batch its running
            statistics would spoil what was learned before.
        seed: Seed of the random weights.

    Returns:
        A model from uint8 (n, size, size, channels) to float32 (n, size, size,
        num_classes), which sum to 1 in every pixel.

    Raises:
        WeightsError: The pretrained weights are missing or damaged.
    """
    keras.utils.set_random_seed(seed)
    images = keras.Input(preprocessing.shape, dtype="uint8", name="pixels")
    encode = _lite0_encoder if name == "unet_lite0" else _compact_encoder
    x, skips = encode(images)
    for level in reversed(range(len(skips))):
        x = _enlarged(x, skips[level], level)
        x = _convolved(x, _FILTERS[level], f"decoder{level}")
    # Softmax in half precision loses small probabilities: always float32.
    head = layers.Conv2D(
        num_classes, 1, activation="softmax", dtype="float32", name="probabilities"
    )
    model = keras.Model(images, head(x), name=name)
    if name == "unet_lite0" and pretrained:
        for layer in model.layers:
            if isinstance(layer, layers.BatchNormalization):
                layer.trainable = layer.name.startswith("decoder")
    elif name == "unet_lite0":
        _randomise(model)
    # Most of any image is background: it need not be learned first.
    head.bias.assign([_BACKGROUND] + [0.0] * (num_classes - 1))
    return model


def _lite0_encoder(
    images: keras.KerasTensor,
) -> tuple[keras.KerasTensor, list[keras.KerasTensor]]:
    """The deepest map, and what the decoder takes at each size, the largest first."""
    pixels = scaled_pixels(images, SCALE, OFFSET, channels=3)
    maps = lite_maps(pixels, efficientnet_lite0_weights())
    return maps[_DEEPEST], [pixels, *(maps[block] for block in _SKIPS)]


def _compact_encoder(
    images: keras.KerasTensor,
) -> tuple[keras.KerasTensor, list[keras.KerasTensor]]:
    """The same of a small CNN that halves the size three times."""
    x = scaled_pixels(images, 1 / 127.5, -1.0)
    skips = []
    for level, filters in enumerate(_COMPACT_FILTERS):
        x = _convolved(x, filters, f"encoder{level}")
        skips.append(x)
        x = layers.MaxPooling2D(2, padding="same", name=f"pool{level}")(x)
    return _convolved(x, 2 * _COMPACT_FILTERS[-1], "deepest"), skips


def _enlarged(
    x: keras.KerasTensor, skip: keras.KerasTensor, level: int
) -> keras.KerasTensor:
    """A map at twice the size, beside what the encoder saw at that size."""
    x = layers.UpSampling2D(2, interpolation="bilinear", name=f"up{level}")(x)
    rows, columns = x.shape[1] - skip.shape[1], x.shape[2] - skip.shape[2]
    if rows or columns:
        # Halving rounds up: an odd size comes back with a line too many.
        crop = ((0, rows), (0, columns))
        x = layers.Cropping2D(crop, name=f"crop{level}")(x)
    return layers.Concatenate(name=f"skip{level}")([x, skip])


def _convolved(x: keras.KerasTensor, filters: int, name: str) -> keras.KerasTensor:
    x = layers.Conv2D(
        filters,
        3,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
        name=f"{name}_conv",
    )(x)
    x = layers.BatchNormalization(momentum=0.9, name=f"{name}_norm")(x)
    return layers.ReLU(name=f"{name}_relu")(x)


def _randomise(model: keras.Model) -> None:
    """Gives all weights their initial values, those of the encoder included."""
    model.set_weights(keras.models.clone_model(model).get_weights())
