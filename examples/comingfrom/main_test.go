// Package comingfrom_test has the code of docs/coming-from: a small application
// on each of the libraries that people come from, the same application on
// Satchel, and tests that run the two side by side.
package comingfrom_test

import (
	"log/slog"
	"os"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/satchel-go/satchel/internal/testing/redistest"
)

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler)) // the warnings that plain HTTP needs a setting
	gin.SetMode(gin.ReleaseMode)
	os.Exit(redistest.Main(m))
}
