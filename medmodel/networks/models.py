"""CNN architectures: flat Keras graphs from uint8 pixels to float32 probabilities.

Normalisation is part of every graph, so a saved model cannot be fed wrongly, and no
network is nested in another, so Grad-CAM finds its layers. Layers of a network have
names of their own, the same in every process: model.json holds some of them.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers

from medmodel.core.errors import WeightsError
from medmodel.core.preprocessing import Preprocessing
from medmodel.language import _
from medmodel.networks.efficientnet import lite_maps
from medmodel.networks.lite import DEPTHS, OFFSET, SCALE
from medmodel.networks.pretrained import (
    efficientnet_lite0_weights,
    efficientnet_weights,
)
from medmodel.networks.signed_sqrt import signed_sqrt

IMAGENET_MEAN = np.array([0.485, 0.456, 0.406])
IMAGENET_STD = np.array([0.229, 0.224, 0.225])
Builder = Callable[[keras.KerasTensor, str], keras.KerasTensor]


IMAGENET = "imagenet"
"""Asked for by this word alone, since nothing is fetched unasked."""


def build_model(
    name: str,
    preprocessing: Preprocessing,
    num_classes: int,
    weights: str = "",
    seed: int = 0,
    activation: str = "softmax",
) -> keras.Model:
    """A network by name, under the current dtype policy.

    Args:
        name: Key of `MODELS`.
        preprocessing: Size and channels of the input.
        num_classes: Number of outputs, at least 2.
        weights: File of a Keras network's pretrained weights; `IMAGENET` lets Keras
            fetch its own, the only thing ever downloaded; empty for random ones.
            EfficientNet-Lite0 brings its own.
        seed: Seed of the random weights.
        activation: `"softmax"` of one class per image, `"sigmoid"` of findings, of
            which each has a probability of its own.

    Returns:
        A model from uint8 (n, size, size, channels) to float32 (n, num_classes), rows
        summing to 1 under softmax. What it outputs is float32 under mixed precision as
        well.

    Raises:
        WeightsError: The file does not fit the network.
    """
    keras.utils.set_random_seed(seed)
    images = keras.Input(preprocessing.shape, dtype="uint8", name="pixels")
    features = MODELS[name](images, weights)
    outputs = _probabilities(features, num_classes, activation)
    return keras.Model(images, outputs, name=name)


def frozen_backbone(
    preprocessing: Preprocessing, network: str = "efficientnet_lite0"
) -> keras.Model:
    """The frozen network of the recipe "Instant": EfficientNet-Lite0 at every depth.

    Shallow layers know texture, deep ones objects: together they suit medical images
    better than the last layer alone. Batch normalisation is folded into the
    convolutions, which changes no number but halves the work on a processor. Always
    computes in float32, so that features do not depend on the machine.

    Args:
        preprocessing: Size and channels of the input.
        network: Key of `lite.DEPTHS`.

    Returns:
        A model from uint8 (n, size, size, channels) to float32 (n, d): average and
        maximum over the area of every block but the first, and of the head. Those of
        Lite0's blocks 2, 4, 7, 10, 14 and of its head come first, 3456 numbers; those
        of Lite2, where it is asked as well, come last.
    """
    images = keras.Input(preprocessing.shape, dtype="uint8", name="pixels")
    graph = _instant_graph(images, network)
    return keras.Model(images, graph, name="instant_features")


def instant_model(
    preprocessing: Preprocessing,
    kernel: np.ndarray,
    bias: np.ndarray,
    activation: str = "softmax",
    network: str = "efficientnet_lite0",
) -> keras.Model:
    """The finished model of the recipe "Instant", one flat graph.

    Args:
        preprocessing: Size and channels of the input.
        kernel: (d, num_classes) weights on the features of `frozen_backbone`.
        bias: (num_classes,) biases.
        activation: As in `build_model`.
        network: Key of `lite.DEPTHS`.

    Returns:
        A model from uint8 (n, size, size, channels) to float32 (n, num_classes).
    """
    images = keras.Input(preprocessing.shape, dtype="uint8", name="pixels")
    features = _instant_graph(images, network)
    outputs = _probabilities(features, kernel.shape[1], activation)
    model = keras.Model(images, outputs, name="instant")
    model.layers[-1].set_weights([kernel, bias])
    return model


def freeze_for_fine_tuning(model: keras.Model) -> None:
    """Makes all layers trainable except batch normalisation.

    A frozen `BatchNormalization` also runs in inference mode while training: with few
    images per batch its running statistics would spoil what was learned before.
    """
    for layer in model.layers:
        layer.trainable = not isinstance(layer, layers.BatchNormalization)


def heatmap_layers(model: keras.Model) -> list[str]:
    """Layers whose activations Grad-CAM should look at, shallow to deep.

    Those are the ones whose area is given up next, by global pooling or flattening:
    the last place where the network still knows where it saw something. A maximum
    pooling in between is stepped over, since it only coarsens. A map smaller than
    4 x 4 says little about a place: instead of such a one, the deepest layer that has
    a larger one and through which everything passes is taken. Among several layers
    only maps of a single pixel are left out.
    """
    makers = {id(maker.output): maker for maker in model.operations}
    names: set[str] = set()
    ahead = [model.layers[-1]]
    while ahead:
        layer = ahead.pop()
        before = [makers[id(tensor)] for tensor in _as_list(layer.input)]
        if not isinstance(layer, _AREA_ENDS):
            ahead += before
        else:
            maker = before[0]
            while isinstance(maker, layers.MaxPooling2D):
                maker = makers[id(maker.input)]
            names.add(maker.name)
    ordered = [layer for layer in model.layers if layer.name in names]
    smallest = 4 if len(ordered) == 1 else 2
    large = [layer for layer in ordered if _side(layer) >= smallest]
    return [layer.name for layer in large or [_deepest_large(model, ordered[-1])]]


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _side(layer: keras.Layer) -> int:
    shape = layer.output.shape
    return min(shape[1:3]) if len(shape) == 4 else 0


def _deepest_large(model: keras.Model, end: keras.Layer) -> keras.Layer:
    before = model.layers[: model.layers.index(end)]
    for layer in reversed(before):
        # A border of zeros would shift the map.
        if _side(layer) >= 4 and not isinstance(layer, layers.ZeroPadding2D):
            try:
                keras.Model(layer.output, end.output)
            except ValueError:  # Keras: some other path leads around this layer.
                continue
            return layer
    return end


_AREA_ENDS = (
    layers.GlobalAveragePooling2D,
    layers.GlobalMaxPooling2D,
    layers.Flatten,
)


def _probabilities(
    features: keras.KerasTensor, num_classes: int, activation: str
) -> keras.KerasTensor:
    # Softmax in half precision loses small probabilities: always float32.
    dense = layers.Dense(
        num_classes, activation=activation, dtype="float32", name="probabilities"
    )
    return dense(features)


def scaled_pixels(
    images: keras.KerasTensor, scale: Any, offset: Any, channels: int = 0
) -> keras.KerasTensor:
    """Pixels times scale plus offset; grey is repeated to `channels` if given.

    Args:
        images: (n, height, width, 1 or 3).
        scale: A number, or one for each channel.
        offset: Likewise.
        channels: Of the result; 0 for those of the images.
    """
    x = images
    if channels > images.shape[-1]:
        x = layers.Concatenate(name="grey_to_rgb")([x] * channels)
    return layers.Rescaling(scale, offset, name="normalise")(x)


# --- From scratch ---------------------------------------------------------------


def _document_cnn(images: keras.KerasTensor, weights: str) -> keras.KerasTensor:
    """The teaching document's network, layer by layer."""
    x = scaled_pixels(images, 1 / 255, 0.0)
    x = layers.Conv2D(32, 3, activation="relu", name="conv1")(x)
    x = layers.MaxPooling2D(2, name="pool1")(x)
    x = layers.Conv2D(64, 3, activation="relu", name="conv2")(x)
    x = layers.MaxPooling2D(2, name="pool2")(x)
    x = layers.Flatten(name="flatten")(x)
    return layers.Dense(128, activation="relu", name="dense")(x)


def _compact_resnet(images: keras.KerasTensor, weights: str) -> keras.KerasTensor:
    """Residual network of dense 3x3 convolutions (He et al. 2016, CVPR).

    Dense convolutions use a processor's matrix units, where depthwise ones wait for
    memory. The first layer halves the image only if there is enough of it.
    """
    x = scaled_pixels(images, 1 / 127.5, -1.0)
    x = _conv_norm(x, 32, stride=2 if images.shape[1] >= 56 else 1, name="stem")
    x = layers.ReLU(name="stem_relu")(x)
    for number, (filters, stride) in enumerate(
        ((32, 1), (64, 2), (128, 2), (192, 2)), start=1
    ):
        x = _residual(x, filters, stride, name=f"block{number}")
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    return layers.Dropout(0.2, name="dropout")(x)


def _conv_norm(
    x: keras.KerasTensor, filters: int, stride: int, name: str
) -> keras.KerasTensor:
    x = layers.Conv2D(
        filters,
        3,
        stride,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
        name=f"{name}_conv",
    )(x)
    return layers.BatchNormalization(momentum=0.9, name=f"{name}_norm")(x)


def _residual(
    x: keras.KerasTensor, filters: int, stride: int, name: str
) -> keras.KerasTensor:
    shortcut = x
    if stride > 1:
        pool = layers.AveragePooling2D(stride, padding="same", name=f"{name}_pool")
        shortcut = pool(shortcut)
    if filters != shortcut.shape[-1]:
        conv = layers.Conv2D(filters, 1, use_bias=False, name=f"{name}_shortcut_conv")
        norm = layers.BatchNormalization(momentum=0.9, name=f"{name}_shortcut_norm")
        shortcut = norm(conv(shortcut))
    x = _conv_norm(x, filters, stride, f"{name}_1")
    x = layers.ReLU(name=f"{name}_1_relu")(x)
    x = _conv_norm(x, filters, 1, f"{name}_2")
    x = layers.Add(name=f"{name}_add")([shortcut, x])
    return layers.ReLU(name=f"{name}_relu")(x)


# --- Pretrained and offline -------------------------------------------------------


def _efficientnet_lite0(images: keras.KerasTensor, weights: str) -> keras.KerasTensor:
    pixels = scaled_pixels(images, SCALE, OFFSET, channels=3)
    maps = lite_maps(pixels, efficientnet_lite0_weights())
    x = layers.GlobalAveragePooling2D(name="pool")(maps[-1])
    return layers.Dropout(0.2, name="dropout")(x)


def _instant_graph(images: keras.KerasTensor, network: str) -> keras.KerasTensor:
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32")
    try:
        pixels = scaled_pixels(images, SCALE, OFFSET, channels=3)
        pooled = []
        for variant, blocks in DEPTHS[network]:
            tensors = efficientnet_weights(variant)
            maps = lite_maps(pixels, tensors, variant, folded=True)
            for x in (maps[block] for block in blocks):
                pooled.append(layers.GlobalAveragePooling2D()(x))
                pooled.append(layers.GlobalMaxPooling2D()(x))
        return signed_sqrt(layers.Concatenate(name="features")(pooled))
    finally:
        keras.config.set_dtype_policy(policy)


# --- keras.applications ---------------------------------------------------------


def _application(
    network: Callable[..., keras.Model], scale: Any = 1.0, offset: Any = 0.0
) -> Builder:
    """A network of keras.applications that takes `pixels * scale + offset`."""

    def build(images: keras.KerasTensor, weights: str) -> keras.KerasTensor:
        scaled = scaled_pixels(images, scale, offset, channels=3)
        if images.shape[1] < 32:
            # The smallest size that all of them can halve five times.
            scaled = layers.UpSampling2D(2, interpolation="bilinear", name="enlarge")(
                scaled
            )
        with warnings.catch_warnings():
            # MobileNetV2 regrets that no size of its own was chosen.
            warnings.filterwarnings("ignore", message=".*input_shape.*")
            if weights == IMAGENET:
                return layers.GlobalAveragePooling2D()(_fetched(network, scaled))
            model = network(include_top=False, weights=None, input_tensor=scaled)
        if weights:
            _load_weights(model, Path(weights))
        return layers.GlobalAveragePooling2D()(model.output)

    return build


def _fetched(
    network: Callable[..., keras.Model], scaled: keras.KerasTensor
) -> keras.KerasTensor:
    """The network's maps with weights that Keras fetches, checks and keeps."""
    try:
        model = network(include_top=False, weights="imagenet", input_tensor=scaled)
    except Exception as error:
        # Keras raises nothing more exact where an address cannot be reached.
        raise WeightsError(
            _(
                "The ImageNet weights could not be fetched: this server has no way "
                "to the internet. Name a local file of weights, or leave the field "
                "empty."
            )
        ) from error
    return model.output


def _load_weights(model: keras.Model, path: Path) -> None:
    """Loads a file; Keras leaves weights as they are where a file has none for them."""
    kernels = [weight for weight in model.trainable_weights if weight.ndim > 1]
    before = [kernel.numpy() for kernel in kernels]
    refused = WeightsError(
        _(
            "{file} does not hold weights of {network} without its top layer: "
            "choose the file that Keras publishes with a name ending in "
            "notop.h5.",
            file=path.name,
            network=model.name,
        )
    )
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Skipping nested container")
            model.load_weights(path)
    except (OSError, ValueError, KeyError) as error:
        raise refused from error
    for kernel, random in zip(kernels, before, strict=True):
        if np.array_equal(kernel.numpy(), random):
            raise refused


MODELS: dict[str, Builder] = {
    "efficientnet_lite0": _efficientnet_lite0,
    "compact_resnet": _compact_resnet,
    "document_cnn": _document_cnn,
    "resnet50v2": _application(keras.applications.ResNet50V2, 1 / 127.5, -1.0),
    "densenet121": _application(
        keras.applications.DenseNet121,
        (1 / (255 * IMAGENET_STD)).tolist(),
        (-IMAGENET_MEAN / IMAGENET_STD).tolist(),
    ),
    # The next two normalise by themselves.
    "efficientnetv2b0": _application(keras.applications.EfficientNetV2B0),
    "convnext_tiny": _application(keras.applications.ConvNeXtTiny),
    "mobilenetv2": _application(keras.applications.MobileNetV2, 1 / 127.5, -1.0),
}
