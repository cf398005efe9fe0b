"""Django REST framework with simplejwt as its documentation introduces it. AXES=1 adds django-axes as
its documentation does."""

import os
import sys

import django
from django.conf import settings

AXES = os.environ.get("AXES") == "1"

settings.configure(
    ALLOWED_HOSTS=["*"],
    AUTHENTICATION_BACKENDS=(["axes.backends.AxesStandaloneBackend"] if AXES else [])
    + ["django.contrib.auth.backends.ModelBackend"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ["DATABASE"]}},
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "rest_framework"]
    + (["axes"] if AXES else []),
    MIDDLEWARE=["django.middleware.security.SecurityMiddleware", "django.middleware.common.CommonMiddleware"]
    + (["axes.middleware.AxesMiddleware"] if AXES else []),
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework_simplejwt.authentication.JWTAuthentication"]
    },
    ROOT_URLCONF=__name__,
    SECRET_KEY="django-insecure-" + "x" * 50,
    USE_TZ=True,
)
django.setup()

from django.core.management import call_command  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.urls import path  # noqa: E402
from rest_framework.decorators import api_view, permission_classes  # noqa: E402
from rest_framework.permissions import IsAuthenticated  # noqa: E402
from rest_framework.response import Response  # noqa: E402
from rest_framework_simplejwt.views import TokenObtainPairView, TokenRefreshView  # noqa: E402


@api_view(["GET"])
@permission_classes([IsAuthenticated])
def me(request):
    return Response({"username": request.user.get_username()})


urlpatterns = [
    path("api/token/", TokenObtainPairView.as_view()),
    path("api/token/refresh/", TokenRefreshView.as_view()),
    path("me", me),
]
app = get_wsgi_application()

if "--seed" in sys.argv:
    from django.contrib.auth.models import User

    call_command("migrate", verbosity=0)
    for line in sys.stdin:
        name, _, password = line.rstrip("\n").partition(":")
        User.objects.create_user(username=name, password=password)
