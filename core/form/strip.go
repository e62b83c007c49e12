package form

import (
	"reflect"
	"slices"
	"strings"
	"unicode"
)

// maxDepth bounds how deep values are kept, and maxParts how much of them. A value
// that contains itself is cut off there.
const (
	maxDepth = 32
	maxParts = 1 << 16
)

// stripper empties what is not kept. It counts the parts that it has looked at.
type stripper struct{ parts int }

// strip empties what is not kept in v, which is settable and belongs to the
// caller alone. It copies what v points to first.
func (s *stripper) strip(p *typePlan, v reflect.Value, depth int) {
	if p.clean {
		return
	}
	if s.parts++; depth == maxDepth || s.parts > maxParts {
		v.SetZero()
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range p.fields {
			f := &p.fields[i]
			if f.secret {
				v.Field(f.index).SetZero()
			} else {
				s.strip(f.plan, v.Field(f.index), depth+1)
			}
		}
	case reflect.Array:
		for i := range v.Len() {
			s.strip(p.elem, v.Index(i), depth+1)
		}
	case reflect.Pointer:
		if !v.IsNil() {
			v.Set(s.copied(p.elem, v.Elem(), depth).Addr())
		}
	case reflect.Slice:
		if v.IsNil() {
			return
		}
		list := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		reflect.Copy(list, v)
		for i := range list.Len() {
			s.strip(p.elem, list.Index(i), depth+1)
		}
		v.Set(list)
	case reflect.Map:
		s.stripMap(p, v, depth)
	}
}

func (s *stripper) stripMap(p *typePlan, v reflect.Value, depth int) {
	if v.IsNil() {
		return
	}
	m := reflect.MakeMapWithSize(v.Type(), v.Len())
	for entries := v.MapRange(); entries.Next(); {
		if p.named && soundsSecret(entries.Key().String()) {
			continue
		}
		m.SetMapIndex(entries.Key(), s.copied(p.elem, entries.Value(), depth))
	}
	v.Set(m)
}

// copied returns a stripped copy of v that has an address.
func (s *stripper) copied(p *typePlan, v reflect.Value, depth int) reflect.Value {
	c := reflect.New(p.t).Elem()
	c.Set(v)
	s.strip(p, c, depth+1)
	return c
}

// Words that name a secret: as part of any name, or as a whole word.
var (
	secretParts = []string{
		"password", "passwd", "passphrase", "passcode", "passwort", "secret", "token", "credential",
		"cardnumber", "cardno", "creditcard", "ccnumber", "ccnum", "apikey", "accesskey", "privatekey",
		"securitycode", "securityanswer", "recoverycode", "backupcode", "scratchcode", "resetcode", "unlockcode",
		"twofactor", "secondfactor", "onetimecode", "otpcode", "mfacode", "tfacode", "smscode", "emailcode", "authcode", "authenticationcode",
		"authenticatorcode", "verificationcode", "verifycode", "validationcode", "confirmationcode", "activationcode", "accesscode", "logincode", "signincode",
	}
	secretWords = []string{
		"pass", "passkey", "pwd", "pw", "pin", "puk", "cvv", "cvc", "cvn", "csrf", "xsrf", "ssn",
		"otp", "totp", "hotp", "otc", "tan", "mfa", "tfa", "twofa",
	}
	secretTwos = []string{"fa", "facode", "factor"} // after the word two or the digit 2
)

// soundsSecret reports whether a field's name suggests a secret.
func soundsSecret(name string) bool {
	words := split(strings.ReplaceAll(name, "2", " two ")) // 2FA has two words
	last, joined := "", ""
	for _, word := range words {
		if slices.Contains(secretWords, word) || last == "two" && slices.Contains(secretTwos, word) {
			return true
		}
		if word != "two" { // as in cards[2].number
			joined += word
		}
		last = word
	}
	for _, part := range secretParts {
		if strings.Contains(joined, part) {
			return true
		}
	}
	return false
}

// split returns the words of a name in lower case: user and pin for both
// "user_PIN2" and "userPin2".
func split(name string) []string {
	var words []string
	var word []rune
	end := func() {
		if len(word) > 0 {
			words = append(words, strings.ToLower(string(word)))
			word = nil
		}
	}
	runes := []rune(name)
	for i, r := range runes {
		switch {
		case !unicode.IsLetter(r):
			end()
			continue
		case unicode.IsUpper(r) && i > 0:
			// A new word starts here, as at the T of CSRFToken.
			after := i+1 < len(runes) && unicode.IsLower(runes[i+1])
			if !unicode.IsUpper(runes[i-1]) || after {
				end()
			}
		}
		word = append(word, r)
	}
	end()
	return words
}
