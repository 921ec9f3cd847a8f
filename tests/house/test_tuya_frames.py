"""Frames and ciphers of Tuya's protocol, against what others published: nothing here was made by our own code."""

from __future__ import annotations

import pytest

from pimgr.house.tuya_frames import (
    Command,
    Frame,
    NotTuyaError,
    ecb_decrypt,
    ecb_encrypt,
    proof,
    sealed,
    sealed_gcm,
    session_key,
    signed_31,
    unsealed,
    unsealed_gcm,
    unsigned_31,
    version_head,
)

HUBITAT_KEY = b"7ae83ffe1980sa3c"
HUBITAT_CONTROL = (
    b'{"devId":"bfd733c97d1bfc88b3sysa","gwId":"bfd733c97d1bfc88b3sysa","uid":"bfd733c97d1bfc88b3sysa",'
    b'"t":"1702671803","dps":{"20":true}}'
)
OPENHAB_KEY = b"5c8c3ccc1f0fbdbb"


def test_a_31_command_that_was_published_is_read_and_made_again() -> None:
    # codetheweb/tuyapi, test/cipher.js: key, message and text
    key = b"bbe88b3f4106d354"
    text = b'{"devId":"002004265ccf7fb1b659","dps":{"1":false,"2":0},"t":1529442366,"s":8}'
    coded = (
        b"zrA8OK3r3JMiUXpXDWauNppY4Am2c8rZ6sb4Yf15MjM8n5ByDx+QWeCZtcrPqddxLrhm906bSKbQAFtT1uCp+zP5AxlqJf5d0Pp2OxyXyjg="
    )
    assert signed_31(key, text) == b"3.133ed3d4a21effe90" + coded
    assert unsigned_31(key, b"3.133ed3d4a21effe90" + coded) == text
    with pytest.raises(NotTuyaError):
        unsigned_31(b"bbe88b3f4106d355", b"3.133ed3d4a21effe90" + coded)


def test_a_31_plug_that_was_recorded_is_understood() -> None:
    # jasonacox/tinytuya, pull request 177: a real plug, asked with a wrong key
    asked = unsealed(bytes.fromhex(
        "000055aa000000010000000a000000747b2267774964223a223033323030313630656366616263386439373030222c226465764964223a"
        "223033323030313630656366616263386439373030222c22756964223a223033323030313630656366616263386439373030222c227422"
        "3a2231363633323037313838227d4db799a10000aa55"
    ))  # fmt: skip
    assert (asked.seq, asked.command) == (1, Command.DP_QUERY)
    assert asked.payload.startswith(b'{"gwId":"03200160ecfabc8d9700"')
    answer = (
        "000055aa000000010000000a0000005c000000007b226465764964223a223033323030313630656366616263386439373030222c22647073"
        "223a7b2231223a747275652c2232223a302c2234223a3136312c2235223a3136382c2236223a313139347d7dafacce430000aa55"
    )
    told = b'{"devId":"03200160ecfabc8d9700","dps":{"1":true,"2":0,"4":161,"5":168,"6":1194}}'
    assert unsealed(bytes.fromhex(answer), retcode=True) == Frame(1, Command.DP_QUERY, told, 0)
    assert sealed(Frame(1, Command.DP_QUERY, told, 0)).hex() == answer


def test_a_31_and_a_33_command_of_another_program_are_understood() -> None:
    # ivarho/hubitatappndevice, the drivers' self test: "SetMessageV3_1", "SetMessageV3_3"
    frame = unsealed(bytes.fromhex(
        "000055AA0000000000000007000000B3332E313365666533353337353164353333323070306A6A4A75744C704839416F324B566F76424E55"
        "492B4A78527649334E5833305039794D594A6E33703842704B456A737767354C332B7849343638314B5277434F484C366B374B3543375A36"
        "2F58766D6A7665714446736F714E31792B31584A53707542766D5A4337567371644944336A386A393354387944526154664A45486150516E"
        "784C394844625948754A63634A636E33773D3D1A3578640000AA55"
    ))  # fmt: skip
    plain = unsigned_31(HUBITAT_KEY, frame.payload)
    assert frame.command == Command.CONTROL
    assert b'"dps":{"20":true}' in plain
    assert sealed(Frame(0, Command.CONTROL, signed_31(HUBITAT_KEY, plain))) == sealed(frame)
    whole = (
        "000055aa000000000000000700000087332e33000000000000000000000000a748e326eb4ba47f40a36295a2f04d508f89c51bc8dcd5f7d0"
        "ff72318267de9f01a4a123b308392f7fb1238ebcd4a47008e1cbea4ecae42ed9ebf5ef9a3bdea8316ca2a375cbed57252a6e06f9990bb56c"
        "a9d203de3f23f774fcc8345a4df2441da3d09f12fd1c36d81ee25c709727df2e5cf2b30000aa55"
    )
    frame = unsealed(bytes.fromhex(whole))
    assert frame.payload.startswith(version_head("3.3"))
    plain = ecb_decrypt(HUBITAT_KEY, frame.payload[15:])
    assert b'"dps":{"20":true}' in plain
    again = version_head("3.3") + ecb_encrypt(HUBITAT_KEY, plain)
    assert sealed(Frame(0, Command.CONTROL, again)).hex() == whole


def test_a_34_command_of_another_program_is_understood_and_made_again() -> None:
    # ivarho/hubitatappndevice, the drivers' self test: "SetMessageV3_4"
    whole = (
        "000055aa000000000000000d000000749ac0971a69b046c19ddfeab6800cbb66a8fc70bdd2ff855511a3a2cbf2955bfc806c9fbffa10ed70"
        "9ec2ba4d8ec24609e50317c707468f02a110e429ba321faa3862640a83699215e1313ba653c6da0e5f01aadd72e172d7705b0af82bfcd5e5"
        "4a92562659a18235aef0ddb1453bb7070000aa55"
    )
    frame = unsealed(bytes.fromhex(whole), HUBITAT_KEY)
    plain = ecb_decrypt(HUBITAT_KEY, frame.payload)
    assert plain.startswith(version_head("3.4") + b'{"protocol":5')
    assert b'"dps":{"20":true}' in plain
    assert sealed(Frame(0, Command.CONTROL_NEW, ecb_encrypt(HUBITAT_KEY, plain)), HUBITAT_KEY).hex() == whole
    with pytest.raises(NotTuyaError):
        unsealed(bytes.fromhex(whole), b"7ae83ffe1980sa3d")


def test_the_beginning_of_a_34_agreement_is_as_published() -> None:
    # openhab/openhab-addons, org.openhab.binding.tuya, TuyaEncoderTest and TuyaDecoderTest
    nonce = bytes.fromhex("47f877066f5983df0681e1f08be9f1a1")
    begin = sealed(Frame(1, Command.NEGOTIATE, ecb_encrypt(OPENHAB_KEY, nonce)), OPENHAB_KEY)
    assert begin.hex() == (
        "000055aa000000010000000300000044af06484eb01c2272666a10953aaa23e89328e42ea1f29fd0eca40999ab964927c99646647abb2ab2"
        "42062a7e911953195ae99b2ee79fa00a95da8cc67e0b42e20000aa55"
    )
    answer = (
        "000055aa0000fc6c0000000400000068000000004b578f442ec0802f26ca6794389ce4ebf57f94561e9367569b0ff90afebe08765460b356"
        "78102c0a96b666a6f6a3aabf9328e42ea1f29fd0eca40999ab964927c340dba68f847cb840b473c19572f8de9e222de2d5b1793dc7d4888a"
        "8b4f11b00000aa55"
    )
    frame = unsealed(bytes.fromhex(answer), OPENHAB_KEY, retcode=True)
    plain = ecb_decrypt(OPENHAB_KEY, frame.payload)
    assert plain.hex() == (
        "3965333963353564643232333163336605ca4f27a567a763d0df1ed6c34fa5bb334a604d900cc86b8085eef6acd0193d"
    )
    again = Frame(0xFC6C, Command.NEGOTIATE_ANSWER, ecb_encrypt(OPENHAB_KEY, plain), 0)
    assert sealed(again, OPENHAB_KEY).hex() == answer


def test_what_a_34_plug_told_was_recorded_and_is_understood() -> None:
    # sjhorn/tinytuya-dart, README_EXAMPLE.md: a real plug's answer, under a session key that is printed with it
    key = b'\x1f\x8a\xc4!"\xbe\xaay\xd1\x1f\xea\xf3&\x05\xad+'
    told = (
        "000055aa0000961800000010000000e800000000394e56ef37c5067c5450df49ac121f637f8560ab6529e6178442f8c7960eda0e6fc0c43b"
        "f2bd43beb0ef74ef8e6a3eb60754103f66f57efe47ff4bda28204e0b46b16ca72c3397b01156b0c593269357c6e808b3d47339751626937e"
        "6eae28c0a46b0ee80bdb268beb9d6e0b8413e1ec9f619732e8504c2468a7e6087694b6e4c4a9dc7e769822d43727c9c1032367bc53a683a6"
        "1f17fed2c0980bb54c78e2bf97ca3fe2b38b7b01ccbbbd155bdf9ffe7b3b62acf8ea38e6ae56bf9bfce3e9487f709b76a917ebb8752e2227"
        "c11a7d519c9ecefb4c7d5ba86dadccc41b1497bf0000aa55"
    )
    frame = unsealed(bytes.fromhex(told), key, retcode=True)
    assert (frame.command, frame.retcode) == (Command.DP_QUERY_NEW, 0)
    plain = ecb_decrypt(key, frame.payload)
    assert plain.startswith(b'{"dps":{"1":true,"9":0,"18":0,"19":0,"20":2284,')
    assert sealed(Frame(frame.seq, frame.command, ecb_encrypt(key, plain), 0), key).hex() == told


def test_a_whole_34_agreement_comes_to_the_published_key() -> None:
    # 031168-sudo/tuya, app/src/test/java/app/tuyacontrol/local/TuyaProtocolTest.kt, whose figures come from tinytuya
    key, local, remote = b"0123456789abcdef", b"abcdefghijklmnop", b"ponmlkjihgfedcba"
    answer = Frame(1, Command.NEGOTIATE_ANSWER, ecb_encrypt(key, remote + proof(key, local)), 0)
    assert sealed(answer, key).hex() == (
        "000055aa00000001000000040000006800000000a118ba3a27c06fe8e7460a59605b782b69ed70381a5fdc1f0208a319d1a63489d242a0b9"
        "a9af284bd9e93b2a15e0ec26377222e061a924c591cd9c27ea163ed461c7b372f5a0296dd5a0e84983e826ad2897c66fecf7181bdafdb851"
        "f0f5173f0000aa55"
    )
    end = unsealed(bytes.fromhex(
        "000055aa000000020000000500000054058823e182038cbc26dea9a9e5a06696512c41ad81ec397b2c14673d90d40e65377222e061a924c5"
        "91cd9c27ea163ed412fa1481be220f3138c848f2ccdcf26f00b1d8af7aabc66617c8aa6820a3e2d80000aa55"
    ), key)  # fmt: skip
    assert ecb_decrypt(key, end.payload) == proof(key, remote)
    assert session_key("3.4", key, local, remote).hex() == "9ffa085e8b5849b3ab12b3096d8b0e9a"


@pytest.mark.parametrize(
    ("frame", "key", "whole"),
    [
        (
            Frame(1, Command.NEGOTIATE, bytes.fromhex("aabbccddeeff00112233445566778899")),
            b"0123456789abcdef",
            "00006699000000000001000000030000002c303132333435363738396162c8f9c126c09f2d98213033b1e2ad2b6a4ea62b6ce07e9a059e"
            "670d5dca806da600009966",
        ),
        (
            Frame(3, Command.DP_QUERY_NEW, b'{"gwId":"test","devId":"test"}'),
            bytes.fromhex("00112233445566778899aabbccddeeff"),
            "00006699000000000003000000100000003a303132333435363738396162790702f77ca154ac87f222adba96e03e078b5fa743be409390"
            "5c8d4673cd0055f1c00304a7f59f502fb819f58afa00009966",
        ),
        (
            Frame(5, Command.HEART_BEAT, b""),
            bytes.fromhex("00112233445566778899aabbccddeeff"),
            "00006699000000000005000000090000001c3031323334353637383961628f7981ee45e7bc696425ac4239b34ee000009966",
        ),
    ],
)
def test_35_frames_are_as_published(frame: Frame, key: bytes, whole: str) -> None:
    # homebridge-plugins/homebridge-tuya, test/protocol35Frames.test.ts
    assert sealed_gcm(frame, key, b"0123456789ab").hex() == whole
    assert unsealed_gcm(bytes.fromhex(whole), key) == frame
    with pytest.raises(NotTuyaError):
        unsealed_gcm(bytes.fromhex(whole), bytes(16))


def test_each_35_frame_has_a_nonce_of_its_own() -> None:
    frame = Frame(1, Command.HEART_BEAT, b"")
    assert sealed_gcm(frame, bytes(16)) != sealed_gcm(frame, bytes(16))


def test_a_whole_35_agreement_comes_to_the_published_key() -> None:
    # hyprlab/luxel, src/tuya/protocol.rs, "v35_session_and_frames_match_tinytuya", made by tinytuya 1.20
    key, local, remote = b"0123456789abcdef", b"aaaabbbbccccdddd", b"eeeeffffgggghhhh"
    answer = Frame(1, Command.NEGOTIATE_ANSWER, remote + proof(key, local), 0)
    assert sealed_gcm(answer, key, b"012345678901").hex() == (
        "0000669900000000000100000004000000503031323334353637383930317ef61f7295eaf6e05b639902bcdf5f553b4d7ac9224a07e26a50"
        "2d28f675a2542587377a288418838bb146fa8f0a0d0d34dd448bb0c55df7d9913c957497f96718313e0000009966"
    )
    session = session_key("3.5", key, local, remote)
    assert session.hex() == "6b19607dc9dd5dc91f52c8cd1a5c87e8"
    told = Frame(9, Command.DP_QUERY_NEW, b'{"dps":{"1":true}}', 0)
    whole = (
        "000066990000000000090000001000000032303132333435363738393031de1a39c78f7b265cd5413a029533b299331955e3947b3ab3c632"
        "1272d01fcaa5875f2dce7d7300009966"
    )
    assert sealed_gcm(told, session, b"012345678901").hex() == whole
    assert unsealed_gcm(bytes.fromhex(whole), session, retcode=True) == told
