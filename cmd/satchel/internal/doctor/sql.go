package doctor

import (
	"context"
	"time"
)

// database looks at what the store's own check leaves out.
func (x *examination) database(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	s := x.t.SQL
	clock := "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint"
	if x.t.Scheme == "mysql" {
		clock = "SELECT CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED)"
	}
	if x.t.Scheme != "sqlite" { // whose clock is this machine's
		var ms int64
		if err := s.DB.QueryRowContext(ctx, clock).Scan(&ms); err == nil {
			x.clock(time.UnixMilli(ms))
		}
	}
	var expired int
	at := x.now().Add(-2*time.Hour).UnixMilli() / time.Hour.Milliseconds()
	query := "SELECT COUNT(*) FROM (SELECT 1 FROM " + s.Table + " WHERE sweep < " + s.Placeholder + " LIMIT 10000) AS lagging"
	if err := s.DB.QueryRowContext(ctx, query, at).Scan(&expired); err != nil {
		return // the store's check has said why
	}
	if expired > 1000 {
		x.warn("clean-up", "%d sessions or more expired over two hours ago and are still there: does an instance of the application run, and do events say \"sweep lags\"?", expired)
	} else {
		x.good("clean-up", "expired sessions are removed")
	}
}
