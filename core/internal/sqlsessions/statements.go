package sqlsessions

import "sync"

// statements are a store's statements. Those that differ between dialects are made by
// postgresStatements, mysqlStatements and sqliteStatements.
type statements struct {
	// sessions
	load, look, create, replace, update, touch, remove  *Statement
	sessionStep, dropSessions, dropLastSessions, search *Statement
	countLive                                           *Statement

	// members
	enter, confirm, isMember, release, list, count   *Statement
	memberStep, dropMembers, dropLastMembers, marked *Statement
	mark, unmark                                     *Statement

	// an exact limit
	members, admit *Statement

	// mend
	mend, touchAndFind *Statement

	// clean-up
	lease, firstLease, expired, sweep, orphans, dropRow *Statement

	lists sync.Map // statements with lists of arguments; see several

	// the application's transaction
	endOwned, endListed, leave *Statement
}

// upsert ends an INSERT INTO {m} that puts new values over old ones.
const upsert = ` ON CONFLICT (owner, id) DO UPDATE SET entered = excluded.entered, lapses = excluded.lapses`

// overExpired ends an INSERT INTO {s} that takes the place of an expired session, and
// recognises what it has inserted itself.
const overExpired = ` ON CONFLICT (id) DO UPDATE SET version = excluded.version, expires = excluded.expires, sweep = excluded.sweep,
	owner = excluded.owner, data = excluded.data WHERE s.expires <= $7 OR s.version = excluded.version`

// EveryID is told in the place of an ID if every session has ended.
const EveryID = "*"

func newStatements(n *names) *statements {
	member := `owner = $1 AND id = $2`
	st := &statements{
		load:   n.statement(`SELECT version, expires, owner, data FROM {s} WHERE id = $1`),
		look:   n.statement(`SELECT version, expires FROM {s} WHERE id = $1`),
		update: n.statement(`UPDATE {s} SET version = $2, expires = $3, sweep = $4, owner = $5, data = $6 WHERE id = $1 AND version IN ($7, $2) AND expires > $8`),
		touch:  n.statement(`UPDATE {s} SET expires = $3, sweep = $4 WHERE id = $1 AND version = $2 AND expires > $5`),
		remove: n.ending(`DELETE FROM {s} WHERE id = $1`),

		sessionStep:      n.statement(`SELECT id FROM {s} WHERE id > $1 ORDER BY id LIMIT 1 OFFSET 999`),
		dropSessions:     n.statement(`DELETE FROM {s} WHERE id > $1 AND id <= $2`),
		dropLastSessions: n.statement(`DELETE FROM {s} WHERE id > $1`),
		search:           n.statement(`SELECT id, owner, expires FROM {s} WHERE id > $1 ORDER BY id LIMIT 1000`),
		countLive:        n.statement(`SELECT (SELECT COUNT(*) FROM {s} WHERE sweep > $1) + (SELECT COUNT(*) FROM {s} WHERE sweep = $1 AND expires > $2)`),

		confirm:  n.statement(`UPDATE {m} SET lapses = 0, confirmed = 1 WHERE ` + member + ` AND (lapses > $3 OR confirmed = 1)`),
		isMember: n.statement(`SELECT 1 FROM {m} WHERE ` + member + ` AND (lapses > $3 OR confirmed = 1)`),
		release:  n.statement(`DELETE FROM {m} WHERE ` + member),
		list: n.statement(`SELECT m.id, m.entered FROM {m} m LEFT JOIN {s} s ON s.id = m.id AND s.owner = m.owner AND s.expires > $2
			WHERE m.owner = $1 AND (m.lapses > $2 OR m.confirmed = 1 AND s.id IS NOT NULL) ORDER BY m.entered, m.id`),
		count:  n.statement(`SELECT COUNT(*) FROM {m} WHERE owner = $1`),
		unmark: n.statement(`DELETE FROM {m} WHERE ` + member + ` AND entered = $3`),
		marked: n.statement(`SELECT 1 FROM {m} WHERE ` + member + ` AND lapses > $3`),

		memberStep:      n.statement(`SELECT owner FROM {m} WHERE owner > $1 ORDER BY owner LIMIT 1 OFFSET 999`),
		dropMembers:     n.statement(`DELETE FROM {m} WHERE owner > $1 AND owner <= $2`),
		dropLastMembers: n.statement(`DELETE FROM {m} WHERE owner > $1`),

		members: n.statement(`SELECT m.id, m.entered, CASE WHEN m.lapses > $2 OR m.confirmed = 1 AND s.id IS NOT NULL THEN 1 ELSE 0 END
			FROM {m} m LEFT JOIN {s} s ON s.id = m.id AND s.owner = m.owner AND s.expires > $2 WHERE m.owner = $1 ORDER BY m.entered, m.id`),

		lease:   n.statement(`UPDATE {m} SET lapses = $3 WHERE ` + member + ` AND lapses <= $4`),
		expired: n.statement(`SELECT id, owner FROM {s} WHERE sweep <= $1 AND expires <= $2 ORDER BY sweep LIMIT 1000`),
		dropRow: n.statement(`DELETE FROM {m} WHERE ` + member + ` AND lapses = $3`),

		endOwned:  n.ending(`DELETE FROM {s} WHERE owner = $1`),
		endListed: n.ending(`DELETE FROM {s} WHERE owner = $1 AND id IN (SELECT id FROM {m} WHERE owner = $1)`),
		leave: n.statement(`DELETE FROM {m} WHERE owner = $1 AND id NOT IN ($2, $3)
			AND NOT EXISTS (SELECT 1 FROM {s} WHERE {s}.id = {m}.id AND {s}.owner = {m}.owner)`), // a login may have been stored since
	}
	switch n.dialect {
	case Postgres:
		st.postgres(n)
	case MySQL:
		st.mysql(n)
	default:
		st.sqlite(n)
	}
	return st
}

// orphansAfter returns the query for the next members in the order of the key, and
// whether their sessions are there.
func orphansAfter(n *names, after string) *Statement {
	return n.statement(`SELECT m.owner, m.id, m.lapses, CASE WHEN s.id IS NULL THEN 0 ELSE 1 END
		FROM {m} m LEFT JOIN {s} s ON s.id = m.id WHERE ` + after + ` ORDER BY m.owner, m.id LIMIT 1000`)
}

func (st *statements) postgres(n *names) {
	st.create = n.statement(`INSERT INTO {s} AS s (id, version, expires, sweep, owner, data) VALUES ($1, $2, $3, $4, $5, $6)` + overExpired)
	st.enter = n.statement(`INSERT INTO {m} (owner, id, entered, lapses, confirmed) VALUES ($1, $2, $3, $4, 0)` + upsert)
	st.mark = n.statement(`INSERT INTO {m} AS m (owner, id, entered, lapses, confirmed) VALUES ($1, $2, $3, $4, 0)
		ON CONFLICT (owner, id) DO UPDATE SET lapses = greatest(m.lapses, excluded.lapses)`)

	// All of it depends on the counter still being what was read. Rows are returned if so.
	// $5 are the IDs of the sessions that end, one after the other, so that no driver has
	// to know of arrays.
	told := ""
	if n.channel != "" {
		told = ` UNION ALL SELECT length(` + n.notification() + `::text) FROM ended`
	}
	st.admit = n.statement(`WITH won AS (
			INSERT INTO {m} AS m (owner, id, entered, lapses, confirmed) VALUES ($1, $6, $7, $9, 0)
			ON CONFLICT (owner, id) DO UPDATE SET entered = excluded.entered, lapses = excluded.lapses WHERE m.entered = $8 RETURNING 1
		), over AS (
			SELECT substring($5::bytea FROM 16 * i + 1 FOR 16) AS id FROM generate_series(0, octet_length($5::bytea) / 16 - 1) AS i
		), ended AS (
			DELETE FROM {s} WHERE id = ANY(ARRAY(SELECT id FROM over)) AND owner = $1 AND EXISTS (SELECT FROM won) RETURNING id
		), taken AS (
			DELETE FROM {m} WHERE owner = $1 AND id = ANY(ARRAY(SELECT id FROM over)) AND EXISTS (SELECT FROM won)
		), own AS (
			INSERT INTO {m} (owner, id, entered, lapses, confirmed)
			SELECT $1::bytea, $2::bytea, $3::bigint, $4::bigint, 0 FROM won` + upsert + `
		) SELECT 1 FROM won` + told)

	// The mark enters in the same step as the member that shows that others are missing.
	st.mend = n.statement(`WITH entered AS (
			INSERT INTO {m} AS m (owner, id, entered, lapses, confirmed)
			SELECT $1::bytea, $2::bytea, $3::bigint, 0, 1 FROM {s} WHERE id = $2 AND owner = $1 AND expires > $4
			ON CONFLICT (owner, id) DO UPDATE SET entered = excluded.entered, lapses = 0, confirmed = 1
				WHERE m.lapses <= $4 AND m.confirmed = 0 RETURNING 1
		) INSERT INTO {m} AS m (owner, id, entered, lapses, confirmed)
			SELECT $1::bytea, $5::bytea, $3::bigint, $6::bigint, 0 FROM entered
			ON CONFLICT (owner, id) DO UPDATE SET lapses = greatest(m.lapses, excluded.lapses)`)
	st.touchAndFind = n.statement(`WITH touched AS (
			UPDATE {s} SET expires = $3, sweep = $4 WHERE id = $1 AND version = $2 AND expires > $5 RETURNING 1
		) SELECT (SELECT count(*) FROM touched), (SELECT count(*) FROM {m} WHERE owner = $6 AND id = $1 AND (lapses > $5 OR confirmed = 1))`)

	st.firstLease = n.statement(`INSERT INTO {m} (owner, id, entered, lapses, confirmed) VALUES ($1, $2, 0, $3, 0) ON CONFLICT DO NOTHING`)
	st.sweep = n.statement(`WITH gone AS (
			DELETE FROM {s} WHERE id IN (
				SELECT id FROM {s} WHERE sweep <= $1 AND expires <= $2 ORDER BY sweep LIMIT 1000 FOR UPDATE SKIP LOCKED
			) AND expires <= $2 RETURNING id, owner
		), members AS (
			DELETE FROM {m} m USING gone WHERE m.owner = gone.owner AND m.id = gone.id AND m.lapses <= $2
		) SELECT count(*) FROM gone`)
	st.orphans = orphansAfter(n, `(m.owner, m.id) > ($1, $2)`)
	if n.channel != "" { // the watchers look at every session: once is enough
		st.dropLastSessions = n.statement(`WITH ended AS (DELETE FROM {s} WHERE id > $1) SELECT pg_notify('` + n.channel + `', '` + EveryID + `')`)
	}
}

func (st *statements) mysql(n *names) {
	st.create = n.statement(`INSERT INTO {s} (id, version, expires, sweep, owner, data) VALUES ($1, $2, $3, $4, $5, $6)`)
	st.replace = n.statement(`UPDATE {s} SET version = $2, expires = $3, sweep = $4, owner = $5, data = $6 WHERE id = $1 AND expires <= $7`)
	st.enter = n.statement(`INSERT INTO {m} (owner, id, entered, lapses, confirmed) VALUES ($1, $2, $3, $4, 0) ON DUPLICATE KEY UPDATE entered = $3, lapses = $4`)
	st.mark = n.statement(`INSERT INTO {m} (owner, id, entered, lapses, confirmed) VALUES ($1, $2, $3, $4, 0) ON DUPLICATE KEY UPDATE lapses = GREATEST(lapses, $4)`)
	st.mend = n.statement(`INSERT INTO {m} (owner, id, entered, lapses, confirmed)
		SELECT owner, id, $3, 0, 1 FROM {s} s WHERE s.id = $2 AND s.owner = $1 AND s.expires > $4
		ON DUPLICATE KEY UPDATE entered = IF(lapses <= $4 AND confirmed = 0, $3, entered), confirmed = IF(lapses <= $4, 1, confirmed)`)
	st.endListed = n.statement(`DELETE s FROM {m} m JOIN {s} s ON s.id = m.id WHERE m.owner = $1 AND s.owner = $1`)
	st.firstLease = n.statement(`INSERT IGNORE INTO {m} (owner, id, entered, lapses, confirmed) VALUES ($1, $2, 0, $3, 0)`)
	st.orphans = orphansAfter(n, `(m.owner > $1 OR m.owner = $1 AND m.id > $2)`)
}

func (st *statements) sqlite(n *names) {
	st.create = n.statement(`INSERT INTO {s} AS s (id, version, expires, sweep, owner, data) VALUES ($1, $2, $3, $4, $5, $6)` + overExpired)
	st.enter = n.statement(`INSERT INTO {m} (owner, id, entered, lapses, confirmed) VALUES ($1, $2, $3, $4, 0)` + upsert)
	st.mark = n.statement(`INSERT INTO {m} (owner, id, entered, lapses, confirmed) VALUES ($1, $2, $3, $4, 0)
		ON CONFLICT (owner, id) DO UPDATE SET lapses = max(lapses, excluded.lapses)`)
	st.mend = n.statement(`INSERT INTO {m} AS m (owner, id, entered, lapses, confirmed)
		SELECT owner, id, $3, 0, 1 FROM {s} WHERE id = $2 AND owner = $1 AND expires > $4
		ON CONFLICT (owner, id) DO UPDATE SET entered = excluded.entered, lapses = 0, confirmed = 1 WHERE m.lapses <= $4 AND m.confirmed = 0`)
	st.firstLease = n.statement(`INSERT INTO {m} (owner, id, entered, lapses, confirmed) VALUES ($1, $2, 0, $3, 0) ON CONFLICT (owner, id) DO NOTHING`)
	st.orphans = orphansAfter(n, `(m.owner, m.id) > ($1, $2)`)
}
