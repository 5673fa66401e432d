import torch

from restore_cli.engine.tta import over_eight_views


def test_the_identity_stays():
    image = torch.rand(1, 3, 5, 8)
    torch.testing.assert_close(over_eight_views(lambda x: x)(image), image)


def test_all_eight_orientations_are_seen():
    seen = []

    def restore(image):
        seen.append(tuple(image[0, 0].flatten().tolist()))
        return image

    over_eight_views(restore)(torch.arange(4.0).view(1, 1, 2, 2))
    assert len(seen) == len(set(seen)) == 8


def test_the_result_does_not_depend_on_orientation(narrow):
    network, _ = narrow
    restore = over_eight_views(network.restore)
    image = torch.rand(1, 3, 16, 24)
    turned = restore(image.rot90(1, (-2, -1)).flip(-1))
    torch.testing.assert_close(turned.flip(-1).rot90(-1, (-2, -1)), restore(image))
