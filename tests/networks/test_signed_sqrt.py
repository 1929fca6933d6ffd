import keras
import numpy as np

from medmodel.networks.signed_sqrt import secants, signed_sqrt, signed_square


def test_squares_undo_roots() -> None:
    values = np.array([-4.0, -0.01, 0.0, 1e-4, 0.5, 9.0], np.float32)
    back = np.asarray(signed_square(signed_sqrt(values)))
    np.testing.assert_allclose(back, values, rtol=1e-4, atol=1e-6)


def test_a_secant_is_the_mean_slope_on_the_way() -> None:
    roots = np.asarray(signed_sqrt(np.array([[4.0, 1.0]], np.float32)))
    usual = np.asarray(signed_sqrt(np.array([1.0, 1.0], np.float32)))
    ratio, before = map(np.asarray, secants(roots, usual))
    # From 1 to 4 the root rises by 1 in 3; at 4 it rises by 1 in 4.
    np.testing.assert_allclose(ratio, [[4 / 3, 1]], rtol=2e-3)
    np.testing.assert_allclose(before, [1, 1], rtol=1e-4)


def test_what_is_as_usual_has_a_finite_slope() -> None:
    zero = keras.ops.zeros((1, 3))
    ratio, _ = secants(zero, zero[0])
    np.testing.assert_array_equal(np.asarray(ratio), 1)
