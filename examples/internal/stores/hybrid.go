package stores

import (
	"errors"
	"net/url"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/goredisstore"
	"github.com/satchel-go/satchel/core/sealed"
)

// hybridWindow is the window of hybrid stores that do not say theirs.
const hybridWindow = 30 * time.Second

// closingStore is a store and what closes it.
type closingStore interface {
	core.Store
	Close() error
}

// openHybrid returns the opener of a store with copies on the client.
func openHybrid[S closingStore](open func(rest string) (S, error)) opener {
	return func(rest, keys string) (core.Backend, func() error, error) {
		window, rest, err := hybridParameter(rest)
		if err != nil {
			return nil, nil, err
		}
		ring, err := sealed.ParseKeyring(keys)
		if err != nil {
			return nil, nil, err
		}
		store, err := open(rest)
		if err != nil {
			return nil, nil, err
		}
		return core.Hybrid(sealed.Cookie(ring), store, window), store.Close, nil
	}
}

func openHybridRedis(scheme string) opener {
	return openHybrid(func(rest string) (*goredisstore.Store, error) {
		return goredisstore.Open(scheme+":"+rest, goredisstore.Config{})
	})
}

// hybridParameter takes the parameter window out of what follows a scheme.
func hybridParameter(rest string) (window time.Duration, without string, err error) {
	const scheme = "hybrid:"
	u, err := url.Parse(scheme + rest)
	if err != nil {
		return 0, "", errors.New("it is not a URL")
	}
	window, query := hybridWindow, u.Query()
	if text := query.Get("window"); text != "" {
		if window, err = time.ParseDuration(text); err != nil {
			return 0, "", errors.New("window: want a duration such as 30s")
		}
	}
	query.Del("window")
	u.RawQuery = query.Encode()
	return window, u.String()[len(scheme):], nil
}
