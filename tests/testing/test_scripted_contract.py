"""The scripted plugin is a plugin like any other: it keeps the whole contract."""

from __future__ import annotations

import pytest

from pimgr.testing import ContractSuite, Subject
from tests.testing.scripted_subject import scripted


class TestGateway(ContractSuite):
    @pytest.fixture
    def subject(self) -> Subject:
        return scripted("gateway")


class TestStrip(ContractSuite):
    @pytest.fixture
    def subject(self) -> Subject:
        return scripted("load", outlets=3)


class TestSite(ContractSuite):
    @pytest.fixture
    def subject(self) -> Subject:
        return scripted("site")


class TestHost(ContractSuite):
    @pytest.fixture
    def subject(self) -> Subject:
        return scripted("host")


class TestNotifier(ContractSuite):
    @pytest.fixture
    def subject(self) -> Subject:
        return scripted("notifier")


class TestCharger(ContractSuite):
    @pytest.fixture
    def subject(self) -> Subject:
        return scripted("charger")


class TestThermostat(ContractSuite):
    @pytest.fixture
    def subject(self) -> Subject:
        return scripted("thermostat")


class TestForecast(ContractSuite):
    @pytest.fixture
    def subject(self) -> Subject:
        return scripted("forecast")
