-- A database in memory: rows of text, indexes, joins, sorting, and deletion.
create table person (id integer primary key, name text, born integer);
create table item (id integer primary key, owner integer, label text, price real);
with recursive n(i) as (select 1 union all select i + 1 from n where i < 40000)
insert into person select i, 'person ' || (i * 7919 % 40009), 1900 + i % 120 from n;
with recursive n(i) as (select 1 union all select i + 1 from n where i < 120000)
insert into item select i, i * 31 % 40000 + 1, printf('%0*d', 10 + i % 50, i), i % 977 * 1.5 from n;
create index owners on item (owner);
create index names on person (name, born);
select count(*), sum(length(label)) from item join person on owner = person.id where born > 1960;
select born, count(*), group_concat(substr(label, -3), '') from item join person on owner = person.id
where price < 40 group by born order by born limit 20;
select name, (select count(*) from item where owner = person.id) as items from person
order by items desc, name limit 20;
delete from item where id % 3 = 0;
update person set name = upper(name) || '!' where born % 2 = 0;
select count(*), min(name), max(name) from person where name like '%9!';
select substr(label, 1, 12) as head, count(*), avg(price) from item group by head order by head desc limit 20;
