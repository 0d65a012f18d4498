//! What the fingerprint of a statement goes by.

use super::tests::{context, read};

#[test]
fn literals_do_not_change_the_fingerprint_and_relations_do() {
    let print = |text| read(text, &context()).unwrap()[0].fingerprint;
    assert_eq!(print("select * from employee where id = 1"), print("SELECT *  FROM employee WHERE id = 22"));
    assert_ne!(print("select * from employee x"), print("select * from salary x"));
    assert_ne!(print("select * from hr.salary"), print("select * from public.salary"));
}

#[test]
fn literals_are_in_no_fingerprint_of_statements_that_hide_them() {
    let print = |text: &str| {
        let facts = read(text, &context()).unwrap().remove(0);
        facts.kind.hides_literals().then_some(facts.fingerprint)
    };
    for form in [
        "select a from employee where b = V and c in (V, V) limit N",
        "insert into employee values (V, N)",
        "update employee set a = V || V where b > N",
        "delete from employee where a = V::text or b = interval V",
        "explain select a from employee where b = V",
        "select (select N), array[V, V], case when a = V then V end from employee order by N offset N",
    ] {
        let with = |value: &str, number: &str| form.replace('V', value).replace('N', number);
        let first = print(&with("'x'", "1"));
        assert!(first.is_some(), "{form}");
        assert_eq!(first, print(&with("'secret'", "918273645")), "{form}");
    }
    for text in [
        "notify a, 'secret'",
        "alter role a password 'secret'",
        "do 'secret'",
        "set application_name = 'secret'",
    ] {
        assert_eq!(print(text), None, "{text}");
    }
}
