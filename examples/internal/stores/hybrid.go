package stores

import (
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/sealed"
)

// hybridWindow is the window of hybrid stores that do not say theirs.
const hybridWindow = 30 * time.Second

// openHybrid returns the opener of a store with copies on the client.
func openHybrid[S closingStore](open func(rest string) (S, error)) opener {
	return func(rest, keys string) (core.Backend, func() error, error) {
		window, rest, err := duration(rest, "window", hybridWindow)
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
