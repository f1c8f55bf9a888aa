"""Quantities and OBIS codes of the labels of a Linky, in both modes, and of the blue meters before it.

The supplier's indexes are its rates 1 to 10, in the order of 54E (HCHC is index 1, HCHP 2, and so on). The
distributor's indexes have no code of their own.
"""

from config.channel import Quantity

Row = tuple[Quantity, str | None]

_Q = Quantity
PHASED: dict[str, Row] = {
    # "#" is the phase in the label; in the code it is the phase's block of 20 (1: 21.., 2: 41.., 3: 61..).
    "IRMS#": (_Q.CURRENT, "11.7.0"),
    "URMS#": (_Q.VOLTAGE, "12.7.0"),
    "SINSTS#": (_Q.APPARENT_POWER_IMPORT, "9.7.0"),
    "SMAXSN#": (_Q.APPARENT_POWER_IMPORT, "9.6.0"),
    "SMAXSN#-1": (_Q.APPARENT_POWER_IMPORT, None),
    "UMOY#": (_Q.VOLTAGE, "12.5.0"),
    "IINST#": (_Q.CURRENT, "11.7.0"),
    "IMAX#": (_Q.CURRENT, "11.6.0"),
    "ADIR#": (_Q.CURRENT, None),
}
PLAIN: dict[str, Row] = {
    "VTIC": (_Q.STATUS, None),
    "NGTF": (_Q.CALENDAR, None),
    "LTARF": (_Q.TARIFF, None),
    "EAST": (_Q.ACTIVE_ENERGY_IMPORT, "1.8.0"),
    **{f"EASF{n:02}": (_Q.ACTIVE_ENERGY_IMPORT, f"1.8.{n}") for n in range(1, 11)},
    **{f"EASD{n:02}": (_Q.ACTIVE_ENERGY_IMPORT, None) for n in range(1, 5)},
    "EAIT": (_Q.ACTIVE_ENERGY_EXPORT, "2.8.0"),
    **{f"ERQ{n}": (_Q.REACTIVE_ENERGY, f"{n + 4}.8.0") for n in range(1, 5)},
    "PREF": (_Q.SUBSCRIBED_POWER, None),
    "PCOUP": (_Q.SUBSCRIBED_POWER, None),
    "SINSTS": (_Q.APPARENT_POWER_IMPORT, "9.7.0"),
    "SMAXSN": (_Q.APPARENT_POWER_IMPORT, "9.6.0"),
    "SMAXSN-1": (_Q.APPARENT_POWER_IMPORT, None),
    "SINSTI": (_Q.APPARENT_POWER_EXPORT, "10.7.0"),
    "SMAXIN": (_Q.APPARENT_POWER_EXPORT, "10.6.0"),
    "SMAXIN-1": (_Q.APPARENT_POWER_EXPORT, None),
    "CCASN": (_Q.ACTIVE_POWER_IMPORT, "1.5.0"),
    "CCASN-1": (_Q.ACTIVE_POWER_IMPORT, None),
    "CCAIN": (_Q.ACTIVE_POWER_EXPORT, "2.5.0"),
    "CCAIN-1": (_Q.ACTIVE_POWER_EXPORT, None),
    "STGE": (_Q.STATUS, None),
    **{f"{edge}PM{n}": (_Q.CALENDAR, None) for n in (1, 2, 3) for edge in "DF"},
    "MSG1": (_Q.MESSAGE, None),
    "MSG2": (_Q.MESSAGE, None),
    "RELAIS": (_Q.STATUS, None),
    "NTARF": (_Q.TARIFF, None),
    "NJOURF": (_Q.CALENDAR, None),
    "NJOURF+1": (_Q.CALENDAR, None),
    "PJOURF+1": (_Q.CALENDAR, None),
    "PPOINTE": (_Q.CALENDAR, None),
    "OPTARIF": (_Q.TARIFF, None),
    "ISOUSC": (_Q.CURRENT, None),
    "BASE": (_Q.ACTIVE_ENERGY_IMPORT, "1.8.0"),
    "HCHC": (_Q.ACTIVE_ENERGY_IMPORT, "1.8.1"),
    "HCHP": (_Q.ACTIVE_ENERGY_IMPORT, "1.8.2"),
    "EJPHN": (_Q.ACTIVE_ENERGY_IMPORT, "1.8.1"),
    "EJPHPM": (_Q.ACTIVE_ENERGY_IMPORT, "1.8.2"),
    "BBRHCJB": (_Q.ACTIVE_ENERGY_IMPORT, "1.8.1"),
    "BBRHPJB": (_Q.ACTIVE_ENERGY_IMPORT, "1.8.2"),
    "BBRHCJW": (_Q.ACTIVE_ENERGY_IMPORT, "1.8.3"),
    "BBRHPJW": (_Q.ACTIVE_ENERGY_IMPORT, "1.8.4"),
    "BBRHCJR": (_Q.ACTIVE_ENERGY_IMPORT, "1.8.5"),
    "BBRHPJR": (_Q.ACTIVE_ENERGY_IMPORT, "1.8.6"),
    "PEJP": (_Q.DURATION, None),
    "GAZ": (_Q.GAS_VOLUME, None),
    # The sources say no more than "other", in dal: taken for water, the other meter that counts in that unit.
    "AUTRE": (_Q.WATER_VOLUME, None),
    "PTEC": (_Q.TARIFF, None),
    "DEMAIN": (_Q.CALENDAR, None),
    "IINST": (_Q.CURRENT, "11.7.0"),
    "ADPS": (_Q.CURRENT, None),
    "IMAX": (_Q.CURRENT, "11.6.0"),
    "PMAX": (_Q.APPARENT_POWER_IMPORT, None),
    "PAPP": (_Q.APPARENT_POWER_IMPORT, "9.7.0"),
    "HHPHC": (_Q.CALENDAR, None),
    "MOTDETAT": (_Q.STATUS, None),
    "PPOT": (_Q.STATUS, None),
}
