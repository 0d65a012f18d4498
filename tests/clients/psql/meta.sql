-- What psql's backslash commands send.
\d
\dt
\dt+ employee
\d employee
\d+ salary
\d current_salary
\dv
\di
\ds
\df
\df hr_*
\dn
\dn public
\dT
\du tidegate_read
\dp employee
\l hr_prod
\dx
\sf hr_full_name(text, text)
\sv current_salary
\dO pg_catalog."C"
\dd
\dy
\dF
\encoding
\conninfo_is_left_out_because_it_names_the_port
