"""Gives a plain PostgreSQL database the functions and tables of Citus that Uplift calls and reads.

The fake keeps books of what it was asked to do, as Citus does, and distributes nothing.
"""

from sqlalchemy.engine import URL

from tests.support.postgres import the_server

FAKE = """
CREATE SCHEMA fake_citus;
SET search_path = public, fake_citus;
CREATE TABLE fake_citus.program (version TEXT);
INSERT INTO fake_citus.program VALUES ('Citus 13.2.2 on x86_64-pc-linux-gnu, compiled by gcc');
CREATE TABLE fake_citus.worker_settings (answers BOOLEAN, prepared TEXT, messages TEXT);
INSERT INTO fake_citus.worker_settings VALUES (true, '200', 'en_US.UTF-8');
CREATE TABLE fake_citus.pg_dist_node (
    groupid INTEGER, shouldhaveshards BOOLEAN, noderole TEXT DEFAULT 'primary', isactive BOOLEAN DEFAULT true
);
INSERT INTO fake_citus.pg_dist_node VALUES (0, false), (1, true), (2, true);
CREATE TABLE fake_citus.pg_dist_partition (logicalrelid REGCLASS, partmethod "char", repmodel "char");
CREATE FUNCTION fake_citus.citus_version() RETURNS TEXT LANGUAGE sql
AS 'SELECT version FROM fake_citus.program';
CREATE FUNCTION fake_citus.worker_hash(number INTEGER) RETURNS INTEGER LANGUAGE sql
AS 'SELECT hashint4(number)';
CREATE FUNCTION fake_citus.create_distributed_table(
    name TEXT, distribution_column TEXT, shard_count INTEGER DEFAULT NULL, colocate_with TEXT DEFAULT ''
) RETURNS VOID LANGUAGE sql
AS 'INSERT INTO fake_citus.pg_dist_partition VALUES (name::regclass, ''h'', ''s'')';
CREATE FUNCTION fake_citus.citus_add_local_table_to_metadata(
    name TEXT, cascade_via_foreign_keys BOOLEAN DEFAULT false
) RETURNS VOID LANGUAGE sql
AS 'INSERT INTO fake_citus.pg_dist_partition VALUES (name::regclass, ''n'', ''s'')';
CREATE FUNCTION fake_citus.undistribute_table(name TEXT, cascade_via_foreign_keys BOOLEAN DEFAULT false)
RETURNS VOID LANGUAGE sql AS 'DELETE FROM fake_citus.pg_dist_partition WHERE logicalrelid = name::regclass';
CREATE FUNCTION fake_citus.run_command_on_all_nodes(command TEXT)
RETURNS TABLE (nodeid INTEGER, success BOOLEAN, result TEXT) LANGUAGE plpgsql AS $$
BEGIN
    SELECT answers INTO success FROM worker_settings;
    IF command LIKE '%pg_prepared_xacts%' THEN
        result = '0';
    ELSE
        SELECT concat_ws('|', coalesce((
            SELECT split_part(setting, '=', 2) FROM pg_db_role_setting
            JOIN pg_database ON pg_database.oid = setdatabase, unnest(setconfig) AS setting
            WHERE datname = current_database() AND setting LIKE 'lock_timeout=%'
        ), '0'), prepared, messages) INTO result FROM worker_settings;
    END IF;
    FOR nodeid IN SELECT groupid FROM pg_dist_node LOOP
        RETURN NEXT;
    END LOOP;
END $$;
"""


async def fake_citus_in(url: URL) -> None:
    """Make a database look like a coordinator's of two workers, for sessions that begin from now on."""
    assert url.database is not None
    await the_server().execute(FAKE, database=url.database)
    await the_server().execute(f"ALTER DATABASE {url.database} SET search_path = public, fake_citus")
