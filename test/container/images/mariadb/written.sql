create database app;
create table app.written (number bigint primary key) engine=InnoDB;
create user 'writer'@'%' identified via mysql_native_password using '';
grant all on app.* to 'writer'@'%';
