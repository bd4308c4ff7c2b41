"""What schemathesis does differently for scripts/api."""

import itertools

import schemathesis
from hypothesis import strategies
from urllib3.util import connection

connect = connection.create_connection
numbers = itertools.count(1)

# Policies: one that can be in force, and what is none.
POLICIES = ["", 'format = 1\ndescription = "Everything may go everywhere"\n', "format = 2\n"]
schemathesis.openapi.media_type(
    "application/toml",
    strategies.one_of(strategies.sampled_from(POLICIES), strategies.text()).map(str.encode),
)


def connect_from_elsewhere(*arguments, **options):
    """Connects from a loopback address that no request came from before.

    Who sends wrong credentials again and again is locked out by address, which would hide whatever
    else is wrong: here nearly all credentials are wrong.
    """
    number = next(numbers)
    source = f"127.{1 + (number >> 16)}.{number >> 8 & 255}.{number & 255}"
    return connect(*arguments, **{**options, "source_address": (source, 0)})


connection.create_connection = connect_from_elsewhere


@schemathesis.hook
def before_call(context, case, kwargs):
    """Keeps the administrator whose run it is.

    Once there is another administrator, and the run makes some, it could remove or disable itself,
    and everything after that would be refused. Users that stand in for it are as good for a test.
    """
    changes_user = case.operation.definition.raw.get("operationId") in ("user.delete", "user.update")
    if changes_user and case.path_parameters.get("user") == "admin":
        case.path_parameters["user"] = "bob"


@schemathesis.hook
def filter_failure(context, failure, case, response):
    """Accepts that wrong credentials are refused with 429, too.

    A long run shows the same wrong name a hundred times, and then it is the name that is locked.
    """
    return not (failure.code == "ST401" and "got `429 " in failure.message)
