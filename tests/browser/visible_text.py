"""What a page shows as text, within components, charts and tables too; what is English.

Streamlit draws its tables on canvases: what stands in them is that of a hidden table.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from playwright.sync_api import Page

_TEXTS = """() => {
  const texts = new Set();
  // Icons are ligatures: words that a font draws as one sign.
  const icon = (e) => getComputedStyle(e).fontFamily.includes("Material");
  const skipped = "script, style, noscript, template," +
    "[data-testid=stMainMenuPopover], [data-testid=stToolbar], [class*=skip]," +
    "[data-testid=stLogoLink], [data-testid=stJson]," +
    "code, pre, [type=checkbox], [type=radio]";
  const seen = (e) => e.closest("canvas") !== null || (e.checkVisibility({
    checkOpacity: true, checkVisibilityCSS: true }) && e.getClientRects().length > 0);
  const visit = (node) => {
    if (node.nodeType === Node.TEXT_NODE) {
      const text = node.textContent.trim();
      const parent = node.parentElement;
      const shown = parent && seen(parent) && !icon(parent);
      if (text && shown && !text.startsWith("data:")) texts.add(text);
      return;
    }
    if (node instanceof Element) {
      if (node.matches(skipped)) return;
      if (node.placeholder && !node.value && seen(node)) texts.add(node.placeholder);
      if (node.matches("input, textarea") && seen(node) && isNaN(node.value))
        texts.add(node.value);
      if (node.shadowRoot) {
        const named = "[aria-label], [title], [alt]";
        for (const e of node.shadowRoot.querySelectorAll(named))
          for (const name of ["aria-label", "title", "alt"])
            if (e.getAttribute(name)) texts.add(e.getAttribute(name));
        visit(node.shadowRoot);
      }
    }
    for (const child of node.childNodes) visit(child);
  };
  visit(document.body);
  texts.add(document.title);
  return [...texts];
}"""
_WORD = re.compile(r"[A-Za-z][A-Za-z'’]+")
_CUT = re.compile(r"[A-Za-z'’]+…")
"""A word that a narrow list has cut, of a name."""
_PROPER = """
MedModel English true AUC ROC CNN CT MR HU GPU CPU QR PDF CSV HTML JSON TXT PNG SVG
JPEG TIFF DICOM NIfTI RGB TLS IP ID px kB MB GB ReLU Softmax Dropout EfficientNet Lite
ImageNet log.txt Compact ResNet DenseNet ConvNeXt MobileNet Keras TensorFlow Python
Streamlit Plotly NumPy Grad CAM HiResCAM Brier Cohen Holm McNemar Wilson DeLong
float32 bfloat16 float16 Adam AdamW SGD Ctrl Enter Escape Esc Shift Tab Home End Page
Up Down MedMNIST LIDC tSNE SHA UTC WebSocket vs pt ONNX Runtime LiteRT SavedModel
Serving Youden RECIST pandas pillow
"""
_OF_STREAMLIT = {
    *("Upload", "Browse files", "Drag and drop file here", "Choose an option"),
    *("Press Enter to apply", "No results", "Select all", "Choose options"),
    *("Skip to main content", "Deploy", "Hide columns"),
    *("true", "false"),  # of ticks in a table, for readers of the screen
}
_FILE = re.compile(r"[\w/ ·-]+\.(csv|png|jpg|dcm|txt|npz)", re.ASCII)
_SIZES = re.compile(r"\d+MB per file.*")


def visible_texts(page: Page) -> list[str]:
    """Every text that can be seen, or heard of our components; none twice."""
    texts: list[str] = page.evaluate(_TEXTS)
    return texts


def english_texts(page: Page, names: Iterable[str] = ()) -> list[str]:
    """The visible texts with words in Latin letters that are no name.

    Args:
        page: A page in a language of other letters.
        names: Of data sets, classes, files and runs, which stay as they are.
    """
    known = {word.casefold() for word in _WORD.findall(_PROPER)}
    known |= {word.casefold() for name in names for word in _WORD.findall(name)}
    return [
        text
        for text in visible_texts(page)
        if text not in _OF_STREAMLIT
        and not (_SIZES.fullmatch(text) or _FILE.fullmatch(text))
        and any(w.casefold() not in known for w in _WORD.findall(_CUT.sub("", text)))
    ]
