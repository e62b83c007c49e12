package inplace

import (
	"errors"
	"fmt"
	"strings"

	"github.com/satchel-go/satchel/core"
)

// Fail returns the error of a store that could not load, save or delete a session. Its text
// has none of the secrets.
func Fail(label, doing string, err error, secrets ...string) error {
	return fmt.Errorf("%s: %s: %w: %w", label, doing, core.ErrUnavailable, Hide(err, secrets...))
}

// storeError is an error of the store without the tokens in its text: the names of
// files and keys contain them.
type storeError struct {
	text string
	is   func(target error) bool
}

// Hide returns err without the secrets in its text.
func Hide(err error, secrets ...string) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	for _, secret := range secrets {
		if secret != "" {
			text = strings.ReplaceAll(text, secret, "…")
		}
	}
	return &storeError{text, func(target error) bool { return errors.Is(err, target) }}
}

// Error implements error.
func (e *storeError) Error() string { return e.text }

// Is keeps errors.Is working. There is no Unwrap, because it would reveal the text.
func (e *storeError) Is(target error) bool { return e.is(target) }
