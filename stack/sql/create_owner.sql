alter role postgres password :superuser_password;

create role analytics login createrole password :owner_password;

create database analytics owner analytics;

