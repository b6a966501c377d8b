use std::collections::HashSet;

use super::*;

#[test]
fn every_town_has_12_to_40_hotels_that_are_found_by_their_number() {
    for town in towns::towns() {
        let first = count(1, town);
        assert!((12..=38).contains(&first), "{}: {first}", town.iata);
    }
    for iata in ["LON", "LHR", "NCE", "PAR", "SYD", "AAA", "NAN", "TYO"] {
        let all = in_city(1, iata);
        assert!((12..=41).contains(&all.len()), "{iata}: {}", all.len());
        let names: HashSet<&str> = all.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names.len(), all.len(), "{iata}: two hotels of one name");
        for one in &all {
            let found = property(1, one.number).unwrap();
            assert_eq!((&found.name, found.latitude), (&one.name, one.latitude));
            assert!(one.longitude.abs() <= 180.0 && one.latitude.abs() <= 90.0);
            assert!(one.room("DBL").is_some() && one.pictures >= 3);
        }
    }
    assert!(in_city(1, "XXQ").is_empty());
    for number in [0, 999, 1_499, 7_814_499, 7_814_999, u64::MAX] {
        assert!(property(1, number).is_none(), "{number}");
    }
}

#[test]
fn a_circle_holds_exactly_the_hotels_inside_it_nearest_first() {
    let (latitude, longitude) = (48.8566, 2.3522);
    let inside = near(1, latitude, longitude, 25.0);
    let distance =
        |one: &Property| kilometres((one.latitude, one.longitude), (latitude, longitude));
    let numbers: HashSet<u64> = inside.iter().map(|one| one.number).collect();
    let paris = in_city(1, "PAR");
    assert!(!inside.is_empty() && inside.len() < paris.len() + 60);
    for one in &paris {
        assert_eq!(
            numbers.contains(&one.number),
            distance(one) <= 25.0,
            "{}",
            one.name
        );
    }
    assert!(inside.is_sorted_by_key(|one| (distance(one) * 1e9).round()));
    assert!(near(1, 0.0, -30.0, 50.0).is_empty());
}

#[test]
fn two_suppliers_spell_the_same_hotel_differently_but_stand_it_in_the_same_place() {
    let all: Vec<Property> = ["LON", "PAR", "NYC", "NCE", "BER", "TYO", "SYD", "MAD"]
        .iter()
        .flat_map(|iata| in_city(1, iata))
        .collect();
    let share = |test: fn(&Property) -> bool| {
        let some = u32::try_from(all.iter().filter(|one| test(one)).count()).unwrap();
        f64::from(some) / f64::from(u32::try_from(all.len()).unwrap())
    };
    let both = share(|one| one.sells("rapid") && one.sells("hotelbeds"));
    assert!((0.5..0.7).contains(&both), "{both}");
    assert!(
        all.iter()
            .all(|one| one.sells("rapid") || one.sells("hotelbeds"))
    );
    assert!(!all.iter().any(|one| one.sells("duffel")));
    let respelled = share(|one| one.name_for("hotelbeds") != one.name_for("rapid"));
    assert!((0.5..1.0).contains(&respelled), "{respelled}");
    for one in &all {
        let apart = kilometres(one.position_for("rapid"), one.position_for("hotelbeds"));
        assert!(apart < 0.06, "{}: {apart}", one.name);
    }
}

#[test]
fn next_door_stands_another_hotel_of_the_same_chain() {
    let london = in_city(1, "LON");
    let twins: Vec<(&Property, &Property)> = london
        .iter()
        .filter_map(|one| {
            Some((
                one,
                london
                    .iter()
                    .find(|other| other.number == one.number + NEXT_DOOR)?,
            ))
        })
        .collect();
    assert!(!twins.is_empty());
    for (one, other) in twins {
        let apart = kilometres(
            (one.latitude, one.longitude),
            (other.latitude, other.longitude),
        );
        assert!((0.07..0.09).contains(&apart), "{apart}");
        assert_eq!(one.chain, other.chain);
        assert!(one.chain.is_some() && one.name != other.name);
    }
}

#[test]
fn nights_have_prices_and_units_and_nothing_else_has() {
    let london = in_city(1, "LON");
    let one = london.iter().find(|one| one.sells("rapid")).unwrap();
    let room = one.room("DBL").unwrap();
    let night = jiff::civil::date(2026, 12, 1);
    assert!((2_000..100_000).contains(&one.price(room, night)));
    assert_eq!(
        one.price(room, night),
        property(1, one.number).unwrap().price(room, night)
    );
    let name = item(one.number, "DBL", night);
    assert_eq!(capacity(1, "rapid", &name), room.units);
    for name in [
        "",
        "x",
        "1/DBL/2026-12-01",
        &name.replace("DBL", "XYZ"),
        &name.replace("12-01", "13-01"),
    ] {
        assert_eq!(capacity(1, "rapid", name), 0, "{name}");
    }
    let other = london.iter().find(|one| !one.sells("rapid")).unwrap();
    assert_eq!(capacity(1, "rapid", &item(other.number, "DBL", night)), 0);
}
