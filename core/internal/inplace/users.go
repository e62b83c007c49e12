package inplace

import (
	"encoding"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
)

// Users says which value of a library's session names the user who is logged in.
type Users struct {
	Key   string                         // "" if none does
	Value func(user string) (any, error) // nil if it is the user itself
	Text  bool                           // as in Values
}

// Validate returns an error if Key is one of those that have another meaning.
func (u Users) Validate(label string, reserved ...string) error {
	if u.Key != "" && slices.Contains(reserved, u.Key) {
		return fmt.Errorf("%s: UserKey is %q, which is no key of an application", label, u.Key)
	}
	return nil
}

// User returns the user whom native names, "" for nobody. It is an error if Native would not
// give native back.
func (u Users) User(native any) (string, error) {
	if u.Key == "" || native == nil || reflect.ValueOf(native).IsZero() {
		return "", nil
	}
	user, err := u.text(native)
	if err != nil {
		return "", fmt.Errorf("the value of UserKey, %q, is a %T: give it to Satchel as a string or an integer", u.Key, native)
	}
	back, err := u.value(user)
	if u.Value == nil && !reflect.DeepEqual(back, native) {
		return "", fmt.Errorf("the value of UserKey, %q, has the type %T, and no UserValue makes one of a user, as strconv.Atoi makes an int", u.Key, native)
	}
	if err != nil || !reflect.DeepEqual(back, native) {
		return "", fmt.Errorf("the value of UserKey, %q, is a %T, which UserValue does not give back", u.Key, native)
	}
	return user, nil
}

// Native returns the value for user, which is before if that names the same user.
func (u Users) Native(user string, before any) (any, error) {
	if text, err := u.text(before); before != nil && err == nil && text == user {
		return before, nil
	}
	native, err := u.value(user)
	if err != nil {
		return nil, fmt.Errorf("UserValue: %w", Hide(err, user))
	}
	return native, nil
}

func (u Users) text(native any) (string, error) {
	if text, ok := native.(encoding.TextMarshaler); ok {
		b, err := text.MarshalText()
		return string(b), err
	}
	switch v := reflect.ValueOf(native); {
	case v.Kind() == reflect.String:
		return v.String(), nil
	case v.CanInt():
		return strconv.FormatInt(v.Int(), 10), nil
	case v.CanUint():
		return strconv.FormatUint(v.Uint(), 10), nil
	case u.Text && v.CanFloat() && v.Float() == math.Trunc(v.Float()) && math.Abs(v.Float()) <= 1<<53:
		return strconv.FormatInt(int64(v.Float()), 10), nil // JSON has no integers
	}
	return "", errors.ErrUnsupported
}

// value returns the value for user as the store will return it.
func (u Users) value(user string) (any, error) {
	if u.Value == nil {
		return user, nil
	}
	native, err := u.Value(user)
	switch v := reflect.ValueOf(native); {
	case err != nil || !u.Text:
	case v.CanInt():
		return float64(v.Int()), nil
	case v.CanUint():
		return float64(v.Uint()), nil
	}
	return native, err
}
