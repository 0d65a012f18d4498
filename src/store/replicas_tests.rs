//! What gateways that share a store have of it for as long as they run.

use uuid::Uuid;

use super::{
    Change, Store, StoreError,
    tests::{database, server},
};
use crate::model::{
    errand::{Asked, Errand},
    replica::Replica,
};

/// Writes in a change of its own.
async fn within(store: &Store, work: impl AsyncFnOnce(&mut Change) -> Result<(), StoreError>) {
    let mut change = store.change().await.unwrap();
    work(&mut change).await.unwrap();
    change.commit().await.unwrap();
}

/// Several gateways' own ways to an empty PostgreSQL, if there is one to play with.
async fn gateways(count: usize) -> Option<(Vec<Store>, database::Fresh)> {
    let fresh = database::Fresh::new().await?;
    let mut stores = Vec::new();
    for _ in 0..count {
        stores.push(Store::connect(&server(&fresh)).await.unwrap());
    }
    Some((stores, fresh))
}

#[tokio::test]
async fn gateways_that_start_at_the_same_moment_get_numbers_of_their_own_and_keep_them() {
    let Some((stores, _fresh)) = gateways(5).await else { return };
    let mut starting = tokio::task::JoinSet::new();
    for (at, store) in stores.iter().cloned().enumerate() {
        starting.spawn(async move {
            let lease =
                async || store.lease_replica(&format!("run {at}"), &"one".into(), None).await.unwrap();
            let first = lease().await;
            assert_eq!(lease().await, first, "a lease that is renewed is the same");
            first.unwrap().number()
        });
    }
    let mut numbers = starting.join_all().await;
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 2, 3, 4, 5]);
}

#[tokio::test]
async fn the_number_of_a_gateway_is_another_s_when_its_lease_is_over_or_it_was_given_back_and_not_before() {
    let Some((stores, fresh)) = gateways(1).await else { return };
    let store = &stores[0];
    let lease = async |run: &str, wanted| {
        let leased = store.lease_replica(run, &"one".into(), Replica::new(wanted)).await.unwrap();
        leased.map(Replica::number)
    };
    assert_eq!(lease("first", 7).await, Some(7));
    assert_eq!(lease("second", 7).await, None, "it is the first's");
    assert_eq!(lease("second", 0).await, Some(1));
    assert_eq!(lease("second", 7).await, Some(1), "it has one");
    fresh.run("UPDATE replicas SET leased_until = clock_timestamp() WHERE instance = 'first'").await;
    assert_eq!(lease("first", 7).await, Some(7), "nobody took it meanwhile");
    fresh.run("UPDATE replicas SET leased_until = clock_timestamp() WHERE instance = 'first'").await;
    assert_eq!(lease("third", 7).await, Some(7));
    assert_eq!(lease("first", 7).await, None, "it is the third's");
    assert_eq!(lease("first", 0).await, Some(2));
    within(store, async |it| it.forget_gateway("third").await).await;
    assert_eq!(lease("fourth", 7).await, Some(7));
    fresh.run("UPDATE replicas SET leased_until = clock_timestamp() WHERE instance = 'second'").await;
    assert_eq!(lease("fifth", 0).await, Some(1), "the lowest that is free");
}

#[tokio::test]
async fn an_errand_is_taken_once_by_the_gateway_that_it_is_for_and_not_when_it_is_old() {
    let Some((stores, fresh)) = gateways(1).await else { return };
    let store = &stores[0];
    let replica = |number| Replica::new(number).unwrap();
    let own = store.lease_replica("run", &"one".into(), None).await.unwrap().unwrap();
    let errand = Errand { session: 9, what: Asked::Find { principal: "dana".into() } };
    let ask = async |to| {
        let id = Uuid::new_v4();
        let mut change = store.change().await.unwrap();
        change.tidy_errands().await.unwrap();
        let asked = change.ask_errand(id, to, &errand).await.unwrap();
        change.commit().await.unwrap();
        asked.then_some(id)
    };
    assert_eq!(ask(replica(8)).await, None, "there is no such gateway");
    let id = ask(own).await.unwrap();
    assert_eq!(store.take_errands(replica(8)).await.unwrap(), []);
    assert_eq!(store.take_errands(own).await.unwrap(), [(id, errand.clone())]);
    assert_eq!(store.take_errands(own).await.unwrap(), [], "once");
    assert_eq!(store.errand_answer(id).await.unwrap(), None);
    within(store, async |it| it.answer_errand(id, true).await).await;
    assert_eq!(store.errand_answer(id).await.unwrap(), Some(true));

    ask(own).await.unwrap();
    fresh.run("UPDATE errands SET asked_at = asked_at - INTERVAL '3 seconds'").await;
    assert_eq!(store.take_errands(own).await.unwrap(), [], "nobody waits for it any more");
    fresh.run("UPDATE errands SET asked_at = asked_at - INTERVAL '10 seconds'").await;
    let last = ask(own).await.unwrap();
    let left: Vec<Uuid> = store.take_errands(own).await.unwrap().into_iter().map(|(id, _)| id).collect();
    assert_eq!(left, [last]);
    assert_eq!(store.errand_answer(id).await.unwrap(), None, "it is forgotten");
}
