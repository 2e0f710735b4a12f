"""What is asked of the configuration in force."""

from watcher.config.standing import Standing

ACCOUNT = """
[account.{name}]
address = "{name}@example.com"
user = "{user}"
host = "{host}"
password = {{ env = "NONE" }}
"""


def test_accounts_of_one_user_at_one_server_are_counted_together(file):
    wanted = [("a", "me", "one"), ("b", "me", "one"), ("c", "me", "two"), ("d", "you", "one")]
    text = "".join(ACCOUNT.format(name=name, user=user, host=f"{host}.example") for name, user, host in wanted)
    config = file.load("[[rule]]\nthen = ['seen']\n", account=text)
    standing = Standing(config)
    assert [standing.sharers(account) for account in config.accounts] == [2, 2, 1, 1]
