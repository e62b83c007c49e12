package memcached

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"
	"testing"

	"github.com/satchel-go/satchel/internal/testing/alloctest"
)

// slack is what reading an answer may allocate besides a value: a reader's buffer, a
// first chunk of a value, errors.
const slack = 4 * chunk

const key = "satchel:AAAAAAAAAAAAAAAAAAAAAA"

// answers are some that make sense, and some that do not.
var answers = []string{
	"VA 5 c7 k" + key + "\r\nhello\r\n", "VA 0 c1 k" + key + "\r\n\r\n", "EN\r\n", "EN k" + key + "\r\n", "HD k" + key + "\r\n", "NF k" + key + "\r\n", "STORED\r\n", "NOT_STORED\r\n",
	"EXISTS\r\n", "NOT_FOUND\r\n", "VERSION 1.6.18\r\n", "STAT evictions off\r\nSTAT inter\r\nEND\r\n", "key=a%3Ab exp=1 la=2\nkey=%ff \nEND\r\n", "BUSY currently processing crawler request\r\n",
	"SERVER_ERROR out of memory storing object\r\n", "SERVER_ERROR object too large for cache\r\n", "CLIENT_ERROR unauthenticated\r\n", "ERROR\r\n",
	"VA 16777217 c1 k" + key + "\r\n", "VA 16777216 c1 k" + key + "\r\nx", "VA 5 c18446744073709551616 k" + key + "\r\nhello\r\n", "VA 5 c7 k" + key + "x\r\nhello\r\n",
	"VA +5 c7 k" + key + "\r\nhello\r\n", "VA 5 c7 k" + key + "\r\nhello", "VA 5 c7 k" + key + "\nhello\n", "HD\r\n", "EN k\r\n", "STORED\n", "stored\r\n", "key=%zz\n", "\r\n", "", strings.Repeat("x", 5000),
	"STAT " + strings.Repeat("a", 3000) + "\r\n",
}

func read(answer []byte) reader { return reader{bufio.NewReaderSize(bytes.NewReader(answer), maxLine)} }

// FuzzSEC46Answers: whatever a server sends, each answer is what its bytes say exactly, or
// an error, and costs no more memory than it is long.
func FuzzSEC46Answers(f *testing.F) {
	for _, answer := range answers {
		f.Add([]byte(answer))
	}
	f.Fuzz(func(t *testing.T, answer []byte) {
		var value []byte
		var cas uint64
		var err error
		alloctest.Bound(t, 4*len(answer)+slack, func() { value, cas, err = read(answer).item(key) })
		bare, named := "EN\r\n", "EN k"+key+"\r\n"
		switch {
		case err == nil:
			again := "VA " + strconv.Itoa(len(value)) + " c" + strconv.FormatUint(cas, 10) + " k" + key + "\r\n" + string(value) + "\r\n"
			if !bytes.HasPrefix(unpadded(answer), []byte(again)) {
				t.Errorf("%q is read as %q", answer, again)
			}
		case value != nil:
			t.Errorf("%v with %q", err, value)
		case errors.Is(err, ErrMissing) && !bytes.HasPrefix(answer, []byte(bare)) && !bytes.HasPrefix(answer, []byte(named)):
			t.Errorf("%q is taken for a missing item", answer)
		}
		for want, outcome := range map[string]error{"HD k" + key + "\r\n": nil, "NF k" + key + "\r\n": ErrMissing} {
			if is := errors.Is(read(answer).deleted(key), outcome); is != bytes.HasPrefix(answer, []byte(want)) {
				t.Errorf("%q: %v is %v", answer, outcome, is)
			}
		}
		if err := read(answer).stored(); (err == nil) != bytes.HasPrefix(answer, []byte("STORED\r\n")) {
			t.Errorf("%q is taken for %v", answer, err)
		}
		if version, err := read(answer).version(); err == nil && !bytes.HasPrefix(answer, []byte("VERSION ")) {
			t.Errorf("%q is taken for the version %q", answer, version)
		}
		var settings map[string]string
		alloctest.Bound(t, 64*len(answer)+slack, func() { settings, err = read(answer).settings() })
		if err == nil && (len(settings) > maxSettings || !bytes.Contains(answer, []byte("END\r\n"))) {
			t.Errorf("%d settings in %q", len(settings), answer)
		}
		for r, lines := read(answer), bytes.Count(answer, []byte("\n")); lines >= 0; lines-- {
			key, err := r.key()
			if err != nil || key == "" {
				if err == nil && !bytes.Contains(answer, []byte("END")) {
					t.Errorf("%q is taken for a complete list", answer)
				}
				return
			}
		}
		t.Errorf("%q has more keys than lines", answer)
	})
}

// unpadded returns answer without zeros before its two numbers.
func unpadded(answer []byte) []byte {
	head, rest, _ := bytes.Cut(answer, []byte("\r\n"))
	fields := bytes.SplitN(head, []byte(" "), 4)
	if len(fields) != 4 {
		return answer
	}
	fields[1] = number(fields[1])
	fields[2] = append([]byte("c"), number(bytes.TrimPrefix(fields[2], []byte("c")))...)
	return bytes.Join([][]byte{bytes.Join(fields, []byte(" ")), rest}, []byte("\r\n"))
}

func number(text []byte) []byte {
	if text = bytes.TrimLeft(text, "0"); len(text) == 0 {
		return []byte("0")
	}
	return text
}

// An answer that ends too early is an error of the connection, wherever that is.
func TestL3HalfAnswers(t *testing.T) {
	for _, answer := range answers[:17] {
		for n := range len(answer) {
			if strings.HasPrefix(answer, "key=") || strings.HasPrefix(answer, "STAT ") {
				continue // several lines
			}
			half := []byte(answer[:n])
			_, _, itemErr := read(half).item(key)
			_, settingsErr := read(half).settings()
			for what, err := range map[string]error{
				"item": itemErr, "stored": read(half).stored(), "deleted": read(half).deleted(key), "settings": settingsErr,
			} {
				if err == nil || inSync(err) || errors.Is(err, ErrTooLarge) {
					t.Errorf("%s of %q: %v", what, half, err)
				}
				if n > 0 && n < strings.Index(answer, "\r\n") && !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Errorf("%s of %q: %v, want an unexpected end", what, half, err)
				}
			}
		}
	}
}
