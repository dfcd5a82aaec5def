alter role postgres password :superuser_password;

create role analytics login createrole password :owner_password;

grant set on parameter temp_file_limit to analytics;

create database analytics owner analytics;

