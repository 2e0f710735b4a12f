import pytest

from watcher.config.handlers import find_handler
from watcher.errors import HandlerMissing


@pytest.fixture
def folder(tmp_path):
    for name in (
        *(
            "plain",
            "one.py",
            "two.sh",
            "two.py",
            "three.tar.gz",
            "save-attachments.py",
            "one.py~",
            "one.bak",
            ".one.py",
        ),
        *("#one.py#", "one.py.swp", "one.pyc", "one.dpkg-old", "onemore.py", "one-b.py"),
    ):
        (tmp_path / name).touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "one.d").mkdir()
    (tmp_path / "linked.py").symlink_to("one.py")
    (tmp_path / "broken.py").symlink_to("nowhere")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("plain", "plain"),
        ("one", "one.py"),
        ("one.py", "one.py"),
        ("three", "three.tar.gz"),
        ("linked", "linked.py"),
        ("two.sh", "two.sh"),
    ],
)
def test_a_handler_is_found(folder, name, file):
    assert find_handler(folder, name) == folder / file


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("two", "the handler two could be each of two.py, two.sh in {}; keep one of them there"),
        ("save-atachments", "there is no handler save-atachments in {}; did you mean 'save-attachments'?"),
        ("broken", "there is no handler broken in {}; known here: linked, one, "),
        ("folder", "there is no handler folder in {}; known here: "),
        ("o*", "there is no handler o* in {}; "),
        ("bak", "there is no handler bak in {}; "),
    ],
)
def test_a_handler_is_not_found(folder, name, reason):
    with pytest.raises(HandlerMissing) as missing:
        find_handler(folder, name)
    assert str(missing.value).startswith(reason.format(folder))


def test_an_exact_name_and_one_with_an_ending(folder):
    (folder / "plain.py").touch()
    with pytest.raises(HandlerMissing, match=r"could be each of plain, plain\.py"):
        find_handler(folder, "plain")


def test_no_folder_and_an_empty_one(tmp_path):
    with pytest.raises(HandlerMissing, match=f"there is no handler a: {tmp_path}/none can't be read: No such file"):
        find_handler(tmp_path / "none", "a")
    with pytest.raises(HandlerMissing, match=f"there is no handler a in {tmp_path}; no handlers are there yet"):
        find_handler(tmp_path, "a")
