"""scikit-learn models, matplotlib figures and pictures."""

from __future__ import annotations

import copy
import io
import struct
import subprocess
import sys
import zlib
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingRegressor, RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.svm import SVC

from drawloom.errors import ValueRefused
from drawloom.values.figure import Picture
from drawloom.values.store import Values

mpl.use("agg")

X = np.random.default_rng(0).normal(size=(40, 3))
Y = (X[:, 0] > 0).astype(int)
TABLE = pd.DataFrame({"n": X[:, 0], "c": np.where(X[:, 1] > 0, "a", "b")})

MODELS: dict[str, Any] = {
    "not fitted": LogisticRegression(C=0.5),
    "logistic": LogisticRegression().fit(X, Y),
    "forest": RandomForestClassifier(3, random_state=0).fit(X, Y),
    "boosting": GradientBoostingClassifier(n_estimators=3, random_state=0).fit(X, Y),
    "histogram boosting": HistGradientBoostingRegressor(max_iter=3).fit(X, X[:, 0]),
    "neighbours": KNeighborsClassifier(algorithm="kd_tree").fit(X, Y),
    "svm": SVC().fit(X, Y),
    "clusters": KMeans(2, n_init=1, random_state=0).fit(X),
    "ridge": RidgeCV().fit(X, Y),
    "process": GaussianProcessRegressor().fit(X, Y),
    "pipeline": make_pipeline(
        ColumnTransformer([("n", StandardScaler(), ["n"]), ("c", OneHotEncoder(), ["c"])]), LogisticRegression()
    ).fit(TABLE, Y),
    "ufunc": FunctionTransformer(np.log1p).fit(np.abs(X)),
    "random state": RandomForestClassifier(3, random_state=np.random.RandomState(3)),
}


@pytest.mark.parametrize("name", MODELS)
def test_a_model_comes_back_and_predicts_the_same(values: Values, name: str) -> None:
    model = MODELS[name]
    tree = values.encode(model)
    again = values.decode(tree)
    assert type(again) is type(model)
    assert {k: repr(v).partition(" at 0x")[0] for k, v in again.get_params().items()} == {
        k: repr(v).partition(" at 0x")[0] for k, v in model.get_params().items()
    }
    # before anybody predicts: a search tree counts its calls, which is part of its state
    assert values.encode(again)["digest"] == tree["digest"]
    data = TABLE if name == "pipeline" else X
    if hasattr(model, "predict") and name not in ("not fitted", "random state"):
        np.testing.assert_array_equal(again.predict(data), copy.deepcopy(model).predict(data))
    assert values.encode(copy.deepcopy(model))["digest"] == tree["digest"]


def test_different_models_have_different_digests(values: Values) -> None:
    assert len({values.encode(model)["digest"] for model in MODELS.values()}) == len(MODELS)
    other = LogisticRegression().fit(X, 1 - Y)
    assert values.encode(other)["digest"] != values.encode(MODELS["logistic"])["digest"]


def test_a_model_with_text_and_sparse_parts_keeps_its_digest(values: Values) -> None:
    model = TfidfVectorizer().fit(["a cat {{", "a dog é"])
    again = values.decode(values.encode(model))
    assert again.vocabulary_ == model.vocabulary_
    assert values.encode(again)["digest"] == values.encode(model)["digest"]


class Doubler(BaseEstimator, TransformerMixin):  # type: ignore[misc]
    def fit(self, X: Any, y: Any = None) -> Doubler:
        return self


def test_a_model_with_a_part_of_the_users_own_is_refused_when_it_is_written(values: Values) -> None:
    with pytest.raises(ValueRefused) as caught:
        values.encode({"m": make_pipeline(Doubler(), LogisticRegression())})
    told = str(caught.value)
    assert told == (
        f"error[V308] value['m'] is a sklearn.pipeline.Pipeline: it holds {__name__}.Doubler, and only parts of "
        "scikit-learn, numpy and scipy are read back\n"
        "  fix    build the model of scikit-learn's own parts, or name a codec for its class: "
        '`Annotated[Model, Codec("package.module:ModelCodec")]`'
    )
    with pytest.raises(ValueRefused, match="V308"):
        values.encode(FunctionTransformer(print_all))


def print_all(x: Any) -> Any:
    return x


def test_a_stored_model_that_asks_for_more_is_not_read(values: Values) -> None:
    import skops.io

    data = skops.io.dumps(Doubler())
    tree = {"$": "model", "object": values.objects.put(data), "size": len(data), "digest": "0" * 64}
    with pytest.raises(ValueRefused, match=r"V307.*Doubler, which is not trusted"):
        values.decode(tree)


def draw(title: str = "x") -> Figure:
    figure = Figure(figsize=(2, 1), dpi=50)
    figure.subplots().plot([1, 2, 1])
    figure.suptitle(title)
    return figure


def test_a_figure_arrives_as_a_picture_that_can_be_shown(values: Values) -> None:
    tree = values.encode(draw())
    assert values.objects.get(tree["object"]).startswith(b"\x89PNG")
    picture = values.decode(tree)
    assert isinstance(picture, Picture)
    assert picture.size == (100, 50)
    assert picture._repr_png_() == picture.png
    assert repr(picture) == "Picture(100 x 50)"
    assert values.encode(picture) == tree


def test_equal_figures_have_equal_digests(values: Values) -> None:
    assert values.encode(draw())["digest"] == values.encode(draw())["digest"]
    assert values.encode(draw())["digest"] != values.encode(draw("y"))["digest"]


def test_how_well_a_picture_is_compressed_is_no_content() -> None:
    file = io.BytesIO()
    draw().savefig(file, format="png")
    png = file.getvalue()
    parts, at = [], 8
    while at < len(png):
        length, kind = struct.unpack(">I4s", png[at : at + 8])
        parts.append((kind, png[at + 8 : at + 8 + length]))
        at += 12 + length
    pixels = zlib.decompress(b"".join(body for kind, body in parts if kind == b"IDAT"))
    again = [(k, b) for k, b in parts if k in (b"IHDR", b"pHYs")] + [
        (b"IDAT", zlib.compress(pixels, 1)),
        (b"IEND", b""),
    ]
    packed = png[:8] + b"".join(
        struct.pack(">I", len(b)) + k + b + struct.pack(">I", zlib.crc32(k + b)) for k, b in again
    )
    assert Picture(packed) == Picture(png)
    assert hash(Picture(packed)) == hash(Picture(png))


@pytest.mark.parametrize("data", [b"", b"GIF89a", b"\x89PNG\r\n\x1a\n", b"\x89PNG\r\n\x1a\n" + bytes(40)])
def test_what_is_no_png_is_refused(data: bytes) -> None:
    with pytest.raises(ValueRefused, match=rf"V312\] these {len(data)} bytes are not a PNG file"):
        Picture(data)


def test_the_refusal_of_a_damaged_picture_says_what_to_do() -> None:
    file = io.BytesIO()
    draw().savefig(file, format="png")
    damaged = bytearray(file.getvalue())
    damaged[20] ^= 1
    with pytest.raises(ValueRefused) as caught:
        Picture(bytes(damaged))
    assert str(caught.value) == (
        f"error[V312] these {len(damaged)} bytes are not a PNG file: a part of it is damaged\n"
        "  fix    pass the bytes of a PNG file; `File` takes pictures of other formats"
    )


def test_a_picture_can_be_saved(values: Values, tmp_path: Any) -> None:
    picture = values.decode(values.encode(draw()))
    picture.save(tmp_path / "x.png")
    assert (tmp_path / "x.png").read_bytes() == picture.png


def test_axes_are_refused_with_what_to_do(values: Values) -> None:
    with pytest.raises(ValueRefused, match=r"V304.*only figures are kept\n  fix    return the figure: `axes.figure`"):
        values.encode(draw().axes[0])


def test_an_import_of_skops_that_another_threads_warning_filters_broke_is_made_again() -> None:
    """A first import that fails as it does then, in an interpreter of its own."""
    code = (
        "import sys\n"
        "class Once:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'skops.io._persist':\n"
        "            sys.meta_path.remove(self)\n"
        "            raise DeprecationWarning('numpy.core is deprecated')\n"
        "sys.meta_path.insert(0, Once())\n"
        "from sklearn.linear_model import Ridge\n"
        "from drawloom.catalog.catalog import Catalog\n"
        "values = Catalog.open('memory://models').values\n"
        "print(values.decode(values.encode(Ridge(alpha=2.5))).alpha, len([f for f in sys.meta_path if type(f) is Once]))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("2.5 0\n", 0), done.stderr
