"""Whatever befalls cloud, battery and grid: one write at a time, none in an outage, and in the end it is so."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pimgr.api import SiteMode
from pimgr.policy.aspects import GridCharging, Mode, Reserve, Setting
from pimgr.policy.battery.settings import SitePolicy, Stage
from pimgr.policy.model import Phase
from pimgr.units import Percent
from tests.policy.battery import CLOUD, LOCAL, Site, field_of
from tests.policy.profiles import ci
from tests.policy.tally import Tally

reserves = st.sampled_from([0.0, 20.0, 30.0, 80.0, 100.0]).map(lambda percent: Reserve(Percent(percent)))
modes = st.sampled_from(list(SiteMode)).map(Mode)
charging = st.booleans().map(GridCharging)
keeps = st.tuples(st.none() | modes, st.none() | reserves, st.none() | charging).map(
    lambda wants: tuple(want for want in wants if want is not None)
)
controls = st.sampled_from([(CLOUD,), (LOCAL, CLOUD)])
events = st.one_of(
    st.tuples(st.just("grid"), st.sampled_from(["up", "down", "?"])),
    st.tuples(st.just("obeys"), st.tuples(st.sampled_from([CLOUD, LOCAL]), st.booleans())),
    st.tuples(
        st.just("error"), st.tuples(st.sampled_from([CLOUD, LOCAL]), st.sampled_from(["", "Refused", "Unreachable"]))
    ),
    st.tuples(st.just("tells"), st.booleans()),
    st.tuples(
        st.just("battery"), st.tuples(st.sampled_from([10.0, 60.0, 95.0]), st.sampled_from([-2000.0, 0.0, 3000.0]))
    ),
    st.tuples(st.just("person"), st.one_of(reserves, modes, charging)),
    st.tuples(st.just("storm"), st.booleans()),
    st.tuples(st.just("config"), keeps),
    st.tuples(st.just("restart"), st.none()),
    st.tuples(st.just("reboot"), st.none()),
)
seen = Tally()
waits = st.sampled_from([10.0, 40.0, 130.0, 700.0, 1500.0])
beginnings = st.sampled_from(
    [
        [],
        [(("person", Reserve(Percent(50.0))), 700.0)],
        [(("battery", (10.0, 3000.0)), 1500.0)],
        [(("obeys", (CLOUD, False)), 10.0)],
    ]
)
histories = st.tuples(beginnings, st.lists(st.tuples(events, waits), max_size=12)).map(lambda h: h[0] + h[1])


class Watched(Site):
    """At every tick, what must always hold."""

    def decide(self, inputs: Any) -> Any:
        before = {p.action for p in self.state.site.pursuits if p.stage is Stage.ASKED}
        decision = super().decide(inputs)
        seen.note(decision)
        settings = [a for a in decision.actions if isinstance(a.value, Reserve | Mode | GridCharging)]
        on_their_way = [p for p in decision.state.site.pursuits if p.stage is Stage.ASKED and not p.alarmed]
        assert len(on_their_way) <= 1, "one write at a time"
        assert len(settings) <= 1
        if settings:
            assert decision.state.phase is Phase.NORMAL, "nothing is written in an outage"
            assert self.grid == "up"
            assert self.facts.get("storm") is not True
            assert settings[0].part in self.policy.site.controls
            assert settings[0].id not in before
        for p in decision.state.site.pursuits:
            assert p.tries <= 6 or p.alarmed
        return decision


def befall(site: Site, event: tuple[str, Any]) -> None:
    match event:
        case ("grid", how):
            site.grid = how
        case ("obeys", (control, well)):
            site.obeys[control] = well
        case ("error", (control, error)):
            site.error[control] = error
        case ("tells", well):
            site.tells = well
        case ("battery", (charge, watts)):
            site.facts |= {"charge": charge, "battery_w": watts}
        case ("person", setting):
            site.facts |= field_of(setting)
        case ("storm", raging):
            site.facts["storm"] = raging
        case ("config", keep):
            site.policy = _with(site, keep)
        case ("restart", _):
            site.restart()
            site.outcomes = []
        case ("reboot", _):
            site.reboot()
            site.outcomes = []


def _with(site: Site, keep: tuple[Setting, ...]) -> Any:
    from pimgr.api import replace

    return replace(site.policy, site=SitePolicy(controls=site.policy.site.controls, keep=keep))


@ci(150)
@given(keeps, controls, histories)
def in_ci(keep: Any, chain: Any, history: Any) -> None:
    site = Watched(*keep, controls=chain)
    site.live(60)
    for event, wait_s in history:
        befall(site, event)
        site.live(wait_s)
    site.grid, site.tells, site.error = "up", True, {}
    site.obeys = {CLOUD: True, LOCAL: True}
    site.facts |= {"storm": False, "battery_w": 0.0}
    site.live(3 * 3600 + 300, step=30.0)
    for pursuit in site.state.site.pursuits:
        if pursuit.stage is Stage.PERSON:
            continue
        stood_in = any(p.escalated and p.wanted == Reserve(Percent(100.0)) for p in site.state.site.pursuits)
        if stood_in and isinstance(pursuit.wanted, Mode):
            continue
        assert pursuit.stage is Stage.SEEN, site.state.site
        assert all(site.facts[name] == value for name, value in field_of(pursuit.wish).items())


def test_in_the_end_the_site_is_as_wanted_or_a_person_has_it() -> None:
    """Though settings are set, and lost to persons, to batteries that ignore them, and to outages."""
    seen.of(in_ci).more_than(set=60, person=5, ignored=5, phase=1)
