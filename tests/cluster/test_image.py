"""The images keep to their size, and building them again takes no time."""

from __future__ import annotations

from tests.cluster.archives import image_names
from tests.cluster.image import OUR_LAYERS, build_images
from tests.cluster.layers import added_layers
from tests.cluster.names import POSTGRES_IMAGE, TRACKSYNC_IMAGE


def test_the_archives_hold_the_images_that_the_manifests_name() -> None:
    names = [image_names(archive) for archive in build_images()]
    assert names == [[TRACKSYNC_IMAGE], [POSTGRES_IMAGE]]


def test_the_layers_that_we_add_keep_to_their_limits() -> None:
    size = added_layers(build_images()[0], OUR_LAYERS)
    assert size.unpacked <= 180_000_000
    assert size.packed <= 60_000_000


def test_unchanged_inputs_are_not_built_again() -> None:
    before = [archive.stat().st_mtime_ns for archive in build_images()]
    assert [archive.stat().st_mtime_ns for archive in build_images()] == before
