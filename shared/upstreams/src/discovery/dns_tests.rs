//! Stories of DNS, told to a small server of our own.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::proto::op::{Message, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, AAAA, SRV};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use tokio::net::UdpSocket;
use tokio::sync::watch;

use super::Registries;
use super::stand_ins::{becomes, follow, known, reaches};

#[derive(Default)]
struct Zone {
    records: HashMap<(String, RecordType), Vec<RData>>,
    broken: bool,
    queries: usize,
}

impl Zone {
    fn set(&mut self, name: &str, records: Vec<RData>) {
        let kind = records[0].record_type();
        self.records.insert((format!("{name}."), kind), records);
    }

    fn answer(&self, query: &Message) -> Message {
        let question = query.queries[0].clone();
        let mut answer = Message::response(query.metadata.id, query.metadata.op_code);
        answer.metadata.recursion_available = true;
        let name = question.name().clone();
        let key = (name.to_lowercase().to_utf8(), question.query_type());
        let exists = self.records.keys().any(|(name, _)| *name == key.0);
        answer.metadata.response_code = match (self.broken, exists) {
            (true, _) => ResponseCode::ServFail,
            (false, true) => ResponseCode::NoError,
            (false, false) => ResponseCode::NXDomain,
        };
        answer.add_query(question);
        if !self.broken {
            for data in self.records.get(&key).into_iter().flatten() {
                // A TTL of nothing: asked again after the least time.
                answer.add_answer(Record::from_rdata(name.clone(), 0, data.clone()));
            }
        }
        answer
    }
}

type Stand = Arc<watch::Sender<Zone>>;

async fn start(zone: impl FnOnce(&mut Zone)) -> (Stand, Registries) {
    let stand: Stand = Arc::new(watch::Sender::new(Zone::default()));
    stand.send_modify(zone);
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address: SocketAddr = socket.local_addr().unwrap();
    let served = stand.clone();
    tokio::spawn(async move {
        let mut buffer = vec![0; 4_096];
        loop {
            let (length, from) = socket.recv_from(&mut buffer).await.unwrap();
            let query = Message::from_vec(&buffer[..length]).unwrap();
            served.send_modify(|zone| zone.queries += 1);
            let answer = served.borrow().answer(&query).to_vec().unwrap();
            socket.send_to(&answer, from).await.unwrap();
        }
    });
    let registries = Registries {
        dns: Some(address),
        empty_grace: Duration::from_millis(100),
        ..Registries::default()
    };
    (stand, registries)
}

fn a(last: u8) -> RData {
    RData::A(A::new(10, 0, 0, last))
}

fn srv(priority: u16, weight: u16, port: u16, target: &str) -> RData {
    RData::SRV(SRV::new(
        priority,
        weight,
        port,
        Name::from_ascii(target).unwrap(),
    ))
}

#[tokio::test]
async fn every_address_of_a_host_is_an_instance_and_changes_are_followed() {
    let (stand, registries) = start(|zone| zone.set("flights.test", vec![a(1), a(2)])).await;
    let followed = follow("dns://flights.test:8011", &registries);
    let mut targets = followed.targets();
    becomes(&mut targets, &["10.0.0.1:8011", "10.0.0.2:8011"]).await;
    stand.send_modify(|zone| zone.set("flights.test", vec![a(2), a(3)]));
    becomes(&mut targets, &["10.0.0.2:8011", "10.0.0.3:8011"]).await;
}

#[tokio::test]
async fn a_host_with_ipv6_alone_is_found_too() {
    let address = AAAA::new(0xfd00, 0, 0, 0, 0, 0, 0, 1);
    let (_stand, registries) =
        start(|zone| zone.set("flights.test", vec![RData::AAAA(address)])).await;
    let followed = follow("dns://flights.test:8011", &registries);
    becomes(&mut followed.targets(), &["[fd00::1]:8011"]).await;
}

#[tokio::test]
async fn an_address_needs_no_server() {
    let (stand, registries) = start(|_| {}).await;
    let followed = follow("dns://10.1.2.3:80", &registries);
    becomes(&mut followed.targets(), &["10.1.2.3:80"]).await;
    assert_eq!(stand.borrow().queries, 0);
}

#[tokio::test]
async fn neither_a_failing_server_nor_one_that_has_forgotten_takes_anything_away() {
    let (stand, registries) = start(|zone| zone.set("flights.test", vec![a(1)])).await;
    let followed = follow("dns://flights.test:8011", &registries);
    let mut targets = followed.targets();
    becomes(&mut targets, &["10.0.0.1:8011"]).await;
    for broken in [true, false] {
        stand.send_modify(|zone| {
            zone.broken = broken;
            zone.records.clear();
        });
        let before = stand.borrow().queries;
        reaches(&stand, |zone| zone.queries > before + 4).await;
        assert_eq!(known(&targets), ["10.0.0.1:8011"]);
    }
    stand.send_modify(|zone| zone.set("flights.test", vec![a(4)]));
    becomes(&mut targets, &["10.0.0.4:8011"]).await;
}

#[tokio::test]
async fn srv_records_tell_ports_priorities_and_weights() {
    let (stand, registries) = start(|zone| {
        let records = vec![
            srv(10, 60, 8_001, "n1.test."),
            srv(10, 0, 8_002, "n2.test."),
            srv(20, 0, 8_003, "n3.test."),
        ];
        zone.set("_http._tcp.flights.test", records);
        zone.set("n1.test", vec![a(1)]);
        zone.set("n2.test", vec![a(2)]);
        // The third has no address: the others are told all the same.
    })
    .await;
    let followed = follow("srv://_http._tcp.flights.test", &registries);
    let mut targets = followed.targets();
    becomes(&mut targets, &["10.0.0.1:8001", "10.0.0.2:8002"]).await;
    let told: Vec<(u16, u32)> = targets
        .borrow()
        .iter()
        .map(|target| (target.priority, target.weight))
        .collect();
    assert_eq!(told, [(10, 6_000), (10, 1)]);
    stand.send_modify(|zone| zone.set("n3.test", vec![a(3)]));
    becomes(
        &mut targets,
        &["10.0.0.1:8001", "10.0.0.2:8002", "10.0.0.3:8003"],
    )
    .await;
    assert_eq!(targets.borrow()[2].priority, 20);
}

#[tokio::test]
async fn the_root_as_a_target_says_that_there_is_no_service() {
    let name = "_http._tcp.flights.test";
    let (stand, registries) = start(|zone| {
        zone.set(name, vec![srv(0, 0, 80, "n1.test.")]);
        zone.set("n1.test", vec![a(1)]);
    })
    .await;
    let followed = follow("srv://_http._tcp.flights.test", &registries);
    let mut targets = followed.targets();
    becomes(&mut targets, &["10.0.0.1:80"]).await;
    stand.send_modify(|zone| zone.set(name, vec![srv(0, 0, 0, ".")]));
    becomes(&mut targets, &[]).await;
}

#[tokio::test]
async fn a_list_stays_as_it_is() {
    let followed = follow("http://a:1, http://b:2 3", &Registries::default());
    let mut targets = followed.targets();
    becomes(&mut targets, &["a:1", "b:2"]).await;
    tokio::task::yield_now().await;
    assert!(!targets.has_changed().unwrap());
}
