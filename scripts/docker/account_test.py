"""What `account` lets pass and what not. scripts/docker/test runs it first: it needs no engine."""

import unittest

from account import Gap, Sent, missing
from environment import Failed

KILLED = Gap(104.2, 112.5, "agent-killed")


def sent(*turns: float) -> list[Sent]:
    """Tweets whose id is ten times their turn."""
    return [Sent(round(turn * 10), turn) for turn in turns]


def arrived(*turns: float) -> dict[int, int]:
    """The second in which each came: turn 0 is second 100."""
    return {round(turn * 10): 100 + int(turn) for turn in turns}


class Account(unittest.TestCase):
    def test_tweets_at_the_end_of_a_connection_lie_in_the_gap_that_follows_it(self) -> None:
        connections = [sent(1, 2, 4.1, 4.3, 4.9), sent(12.6, 13)]
        self.assertEqual(missing(connections, arrived(1, 2, 4.1, 12.6, 13), [KILLED]), [(KILLED, 2)])

    def test_nothing_missing_needs_no_gap(self) -> None:
        self.assertEqual(missing([sent(1, 2), sent(3)], arrived(1, 2, 3), []), [])

    def test_a_missing_tweet_without_a_gap_is_a_loss(self) -> None:
        with self.assertRaisesRegex(Failed, "tweet 43 .* in none of"):
            missing([sent(4.1, 4.3), sent(12.6)], arrived(4.1, 12.6), [])

    def test_a_tweet_that_would_have_come_a_second_before_the_gap_is_a_loss(self) -> None:
        with self.assertRaisesRegex(Failed, "tweet 28 "):
            missing([sent(2, 2.8, 4.3), sent(12.6)], arrived(2, 12.6), [KILLED])

    def test_a_tweet_that_would_have_come_after_the_gap_is_a_loss(self) -> None:
        with self.assertRaisesRegex(Failed, "tweet 129 "):
            missing([sent(4, 12.9)], arrived(4), [KILLED])

    def test_a_tweet_missing_before_a_stored_one_of_its_connection_is_a_loss_in_a_gap_too(self) -> None:
        with self.assertRaisesRegex(Failed, "tweet 43 .* a later one"):
            missing([sent(4.1, 4.3, 4.9)], arrived(4.1, 4.9), [KILLED])

    def test_a_connection_of_which_nothing_is_stored_is_held_against_the_one_before(self) -> None:
        again = Gap(113.1, None, "agent-killed")
        self.assertEqual(missing([sent(13), sent(15.5)], arrived(13), [KILLED, again]), [(again, 1)])

    def test_a_stream_of_which_nothing_is_stored_is_a_loss(self) -> None:
        with self.assertRaisesRegex(Failed, "nothing was stored"):
            missing([sent(4.3)], {}, [KILLED])


if __name__ == "__main__":
    unittest.main()
