package cli

import (
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/satchel-go/satchel/core/sealed"

	"github.com/satchel-go/satchel/cmd/satchel/internal/target"
)

func (a *app) keys() *cobra.Command {
	keys := &cobra.Command{Use: "keys", Short: "Make and check keys"}
	keys.AddCommand(&cobra.Command{
		Use: "new", Short: "Print a new key, for SESSION_KEYS or STORE_KEYS", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if a.Colours {
				a.say("this terminal keeps what it shows: better write it straight to where your secrets are")
			}
			if a.json {
				return a.object(map[string]string{"key": sealed.GenerateKey()})
			}
			return a.printf("%s\n", sealed.GenerateKey())
		},
	}, &cobra.Command{
		Use: "check [VARIABLE…]", Short: "Check the keys in environment variables: SESSION_KEYS and STORE_KEYS by default",
		RunE: func(_ *cobra.Command, names []string) error { return a.checkKeys(names) },
	})
	return keys
}

// ring is what keys check prints of a variable.
type ring struct {
	Variable string `json:"variable"`
	Keys     int    `json:"keys"`
	Error    string `json:"error,omitempty"`
}

func (a *app) checkKeys(names []string) error {
	asked := len(names) > 0
	if !asked {
		names = []string{"SESSION_KEYS", "STORE_KEYS"}
	}
	checked, bad := 0, false
	for _, name := range names {
		keys := os.Getenv(name)
		if keys == "" && !asked {
			continue
		}
		checked++
		r := ring{Variable: name, Keys: strings.Count(keys, ",") + 1}
		line := text(name) + ": " + target.Plural(r.Keys, "key") + ", the first one seals"
		if _, err := sealed.ParseKeyring(keys); err != nil {
			bad, r.Keys, r.Error = true, 0, err.Error()
			line = text(name) + ": " + printable(r.Error)
		}
		if err := a.either(r, "%s\n", line); err != nil {
			return err
		}
	}
	switch {
	case checked == 0:
		return target.Usage("neither SESSION_KEYS nor STORE_KEYS is set")
	case bad:
		return errSilent
	}
	return nil
}
