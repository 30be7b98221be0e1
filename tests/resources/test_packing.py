"""What travels to other machines holds no secret, and is built again from the variables of the machine it comes to."""

import pickle

import pytest
from dagster_azure.blob import AzureBlobStorageKeyCredential

from resources.archive import Archive
from resources.database import Database
from resources.packing import PackingError, pack
from resources.storage import Storage

pytest.importorskip("ray")

URL = "postgresql+psycopg://al:correct-horse@db.example.org:5432/al"
ACCOUNT = "https://account.blob.core.windows.net"
KEY = "a2V5IG9mIGFuIGFjY291bnQ="


@pytest.fixture
def archive(tmp_path):
    credential = AzureBlobStorageKeyCredential(key=KEY)
    return Archive(
        database=Database(url=URL),
        storage=Storage(url="az://films", account_url=ACCOUNT, credential=credential),
    )


@pytest.fixture
def node(monkeypatch, tmp_path):
    """Sets the variables of the node that unpacks."""

    def with_variables(**variables):
        variables = {"AL_HOME": str(tmp_path), "AL_DATABASE_URL": URL, **variables}
        for name in ("AL_STORAGE_URL", "AL_STORAGE_ACCOUNT_URL", "AL_STORAGE_KEY"):
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return with_variables


def test_password_and_key_stay_and_the_archive_arrives(archive, node):
    packed = pack(archive)
    assert b"correct-horse" not in packed
    assert KEY.encode() not in packed
    node(AL_STORAGE_URL="az://films", AL_STORAGE_ACCOUNT_URL=ACCOUNT, AL_STORAGE_KEY=KEY)
    again = pickle.loads(packed)
    assert again.database.url == URL
    assert again.storage.credential.key == KEY


def test_another_user_of_the_same_database_is_the_nodes_matter(archive, node):
    node(AL_DATABASE_URL=URL.replace("al:correct-horse", "reader:other-password"))
    assert "reader" in pickle.loads(pack(archive.database)).url


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        (
            {"AL_DATABASE_URL": URL.replace("db.", "old.")},
            "another AL_DATABASE_URL .*//db.example.org:5432/al",
        ),
        ({"AL_DATABASE_URL": ""}, "another AL_DATABASE_URL"),
        ({}, "another AL_STORAGE_URL .* az://films"),
        ({"AL_STORAGE_URL": "az://films", "AL_STORAGE_ACCOUNT_URL": ACCOUNT}, "without AL_STORAGE_KEY"),
    ],
)
def test_a_node_with_other_variables_is_named_and_told(archive, node, variables, message):
    packed = pack(archive)
    node(**variables)
    with pytest.raises(PackingError, match=message) as told:
        pickle.loads(packed)
    assert "correct-horse" not in str(told.value)


def test_what_has_no_secret_travels_as_it_is(tmp_path):
    plain = Archive(
        database=Database(url="postgresql+psycopg://al@db.example.org/al"), storage=Storage(url=str(tmp_path))
    )
    again = pickle.loads(pack(plain))
    assert (again.database.url, again.storage.url) == (plain.database.url, str(tmp_path))


def test_a_secret_of_the_environment_is_not_sent_in_whatever_it_lies(node):
    node()
    with pytest.raises(PackingError, match="holds a secret"):
        pack({"where": URL})


def test_what_does_not_pickle_is_said():
    with pytest.raises(PackingError, match="must pickle"):
        pack(iter([1]) and (n for n in ()))
