"""Networks that there are, by name, and what they are called; without TensorFlow."""

from __future__ import annotations

from medmodel.language import N_, _

MODEL_NAMES: dict[str, str] = {
    "efficientnet_lite0": N_("EfficientNet-Lite0, pretrained on ImageNet, offline"),
    "compact_resnet": N_("Compact residual CNN, from scratch"),
    "document_cnn": N_("Two-convolution CNN of the teaching document, from scratch"),
    "resnet50v2": N_("ResNet50V2 (Keras)"),
    "densenet121": N_("DenseNet121 (Keras)"),
    "efficientnetv2b0": N_("EfficientNetV2B0 (Keras)"),
    "convnext_tiny": N_("ConvNeXtTiny (Keras)"),
    "mobilenetv2": N_("MobileNetV2 (Keras)"),
}
FROZEN_MODELS: dict[str, str] = {
    "efficientnet_lite0_lite2": N_(
        "EfficientNet-Lite0 and -Lite2 together, pretrained on ImageNet, offline"
    ),
}
"""Networks of which only the last layer is trained, as of an encoder."""
SEGMENTATION_MODELS: dict[str, str] = {
    "unet_lite0": N_("U-Net on EfficientNet-Lite0, pretrained on ImageNet, offline"),
    "compact_unet": N_("Compact U-Net, from scratch"),
}
"""Networks that give every pixel a class; the others give the whole image one."""
ENCODER_PREFIX = "encoder:"
"""Before the name of an encoder of the weights folder, as a network."""


def model_title(model: str) -> str:
    """What a network is called; one of a newer version as it is written."""
    if model.startswith(ENCODER_PREFIX):
        return _("Encoder {name}", name=model.removeprefix(ENCODER_PREFIX))
    return _((MODEL_NAMES | FROZEN_MODELS | SEGMENTATION_MODELS).get(model, model))
