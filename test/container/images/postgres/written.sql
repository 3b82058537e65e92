create table written (number bigint primary key);
create extension amcheck;
