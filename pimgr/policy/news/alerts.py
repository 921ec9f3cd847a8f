"""Critical alerts: what a person must do something about is told again until it is over, or somebody has seen it.

That the grid is down is none of them: it asks nobody to do anything. A rule raises one by `Turn.alarm` and ends it by
`Turn.clear`; doing either again changes nothing.
"""

from __future__ import annotations

from pimgr.api import Now, Severity, replace
from pimgr.policy.model import State
from pimgr.policy.persons.people import Ack, Alert
from pimgr.policy.turn import Turn, surely_since

AGAIN_S = (3600.0, 21600.0, 21600.0, 21600.0)
"""After an hour, then every six hours, and from the second day on once a day."""
LATER_S = 86400.0


def wait_s(alert: Alert) -> float:
    """Seconds from the last mail of it to the next one."""
    return AGAIN_S[alert.count - 1] if alert.count <= len(AGAIN_S) else LATER_S


def is_due(alert: Alert, now: Now) -> bool:
    """Whether it is to be told again. A restart of the box makes that later rather than sooner."""
    return not alert.acked and surely_since(alert.told_at, now) >= wait_s(alert)


def again(alert: Alert, now: Now) -> Alert:
    return replace(alert, told_at=now.instant, count=alert.count + 1)


def subject(alert: Alert) -> str:
    return f"Still so: {alert.subject}"


def text(alert: Alert) -> str:
    """What is mailed again; `alert` counts this mail too."""
    return f"{alert.text}\nThis is mail number {alert.count} about it. `pimgr ack` ends them; it stays in the status."


def settle(turn: Turn, state: State) -> State:
    """The alerts after this tick; those that are due are mailed."""
    alerts = {alert.key: alert for alert in state.alerts if alert.key not in turn.cleared and _goes_on(turn, alert)}
    for key, (headline, body) in turn.alarms.items():
        known = alerts.get(key)
        new = Alert(key=key, subject=headline, text=body, since=turn.now.instant, told_at=turn.now.instant)
        alerts[key] = replace(known, subject=headline, text=body) if known else new
    if any(isinstance(command, Ack) for command in turn.inputs.commands):
        alerts = {key: _seen(turn, alert) for key, alert in alerts.items()}
    for key, alert in alerts.items():
        if is_due(alert, turn.now):
            alerts[key] = again(alert, turn.now)
            _mail(turn, alerts[key])
        if not alert.acked:
            turn.wake_in(wait_s(alerts[key]) - surely_since(alerts[key].told_at, turn.now))
    new_alerts = tuple(alerts.values())
    return state if new_alerts == state.alerts else replace(state, alerts=new_alerts)


def _goes_on(turn: Turn, alert: Alert) -> bool:
    """What an outage asked for is over with it; the keys of its mails begin with its name."""
    outage = "-".join(alert.key.split("-")[:2])
    return not alert.key.startswith("outage-") or outage in turn.episodes


def _seen(turn: Turn, alert: Alert) -> Alert:
    if not alert.acked:
        turn.tell(f"seen by a person, and mailed no more: {alert.subject}", what="ack")
    return replace(alert, acked=True)


def _mail(turn: Turn, alert: Alert) -> None:
    stamp = f"{alert.since.boot}-{alert.since.mono_s:.3f}"
    turn.mail(f"{alert.key}-{stamp}-again-{alert.count}", Severity.CRITICAL, subject(alert), [text(alert)])
    turn.notices[-1] = replace(turn.notices[-1], about=alert.key)
