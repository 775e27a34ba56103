"""Who there is (users, teams), where (tenants), and who may do what where (roles, grants)."""

from __future__ import annotations

import uuid
import zoneinfo
from datetime import timedelta
from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone

from console.access.permissions import Permission


def check_time_zone(name: str) -> None:
    if name not in zoneinfo.available_timezones():
        raise ValidationError("“%(name)s” is not a known time zone.", params={"name": name})


class UserManager(BaseUserManager["User"]):
    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        user = self.model(email=self.normalize_email(email).lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(email__iexact=username)


class User(AbstractBaseUser):
    """A person who signs in here. Never Alloy's user: that one is `end_user_id`."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    email = models.EmailField(unique=True, error_messages={"unique": "Somebody with this e-mail is here already."})
    name = models.CharField(max_length=120, blank=True)
    is_active = models.BooleanField(default=True)
    is_platform_admin = models.BooleanField(default=False)
    time_zone = models.CharField(max_length=64, default="UTC", validators=[check_time_zone])
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects: ClassVar[UserManager] = UserManager()

    EMAIL_FIELD = "email"
    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    def __str__(self) -> str:
        return self.name or self.email

    def get_full_name(self) -> str:
        return str(self)

    def get_short_name(self) -> str:
        return str(self)


class Tenant(models.Model):
    """One of our customers. Every row of tenant data points at one, and every read starts from one."""

    class Colour(models.TextChoices):
        BLUE = "blue", "Blue"
        TEAL = "teal", "Teal"
        GREEN = "green", "Green"
        OLIVE = "olive", "Olive"
        ORANGE = "orange", "Orange"
        RED = "red", "Red"
        PINK = "pink", "Pink"
        PURPLE = "purple", "Purple"
        SLATE = "slate", "Slate"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    slug = models.SlugField(
        max_length=50,
        unique=True,
        validators=[RegexValidator(r"^[a-z0-9]+(-[a-z0-9]+)*$", "Lower case letters, digits and single hyphens only.")],
        error_messages={"unique": "Another tenant has this address already."},
    )
    name = models.CharField(max_length=120)
    external_id = models.CharField(max_length=120, blank=True)
    owner = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    notes = models.TextField(blank=True, max_length=10_000)
    time_zone = models.CharField(max_length=64, default="UTC", validators=[check_time_zone])
    colour = models.CharField(max_length=8, choices=Colour, default=Colour.BLUE)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    # Grows with each save: a form drawn from an older one is refused instead of overwriting silently.
    version = models.PositiveIntegerField(default=1, editable=False)

    class Meta:
        ordering: ClassVar = ["name", "id"]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("tenants:detail", args=[self.slug])


class TenantLabel(models.Model):
    """A label a tenant carries ("EU", "tier 1"); several tenants may carry it, and a grant may be scoped to it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="labels")
    name = models.CharField(max_length=40)

    class Meta:
        ordering: ClassVar = ["name"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["tenant", "name"], name="tenant_label_once")]
        indexes: ClassVar = [models.Index(fields=["name"], name="tenant_label_name")]

    def __str__(self) -> str:
        return self.name


class Team(models.Model):
    """Several people who get access together."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=120, unique=True)
    members = models.ManyToManyField(User, through="TeamMember", related_name="teams")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering: ClassVar = ["name"]

    def __str__(self) -> str:
        return self.name


class TeamMember(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    team = models.ForeignKey(Team, on_delete=models.CASCADE)
    user = models.ForeignKey(User, on_delete=models.CASCADE)
    added_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["team", "user"], name="team_member_once")]

    def __str__(self) -> str:
        return f"{self.user} in {self.team}"


class Role(models.Model):
    """A named set of permissions. Built-in ones mirror `roles.py`; custom ones are sets of the same permissions."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    slug = models.SlugField(max_length=50, unique=True)
    name = models.CharField(max_length=80)
    summary = models.CharField(max_length=200, blank=True)
    is_builtin = models.BooleanField(default=False)
    position = models.PositiveSmallIntegerField(default=100)

    class Meta:
        ordering: ClassVar = ["position", "name"]

    def __str__(self) -> str:
        return self.name


class RolePermission(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    role = models.ForeignKey(Role, on_delete=models.CASCADE, related_name="permissions")
    permission = models.CharField(max_length=40, choices=Permission)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["role", "permission"], name="role_permission_once")]

    def __str__(self) -> str:
        return f"{self.role}: {self.permission}"


class GrantQuerySet(models.QuerySet["Grant"]):
    def active(self) -> GrantQuerySet:
        return self.filter(Q(expires_at=None) | Q(expires_at__gt=timezone.now()))

    def of(self, user: User) -> GrantQuerySet:
        """Grants that `user` holds, directly or through a team; none for somebody who may not sign in."""
        if not user.is_active:
            return self.none()
        return self.filter(Q(user=user) | Q(team__in=TeamMember.objects.filter(user=user).values("team_id")))

    def giving(self, permission: Permission) -> GrantQuerySet:
        return self.filter(role__in=RolePermission.objects.filter(permission=permission).values("role_id"))

    def reaching(self, tenant: Tenant) -> GrantQuerySet:
        """Grants whose scope covers `tenant`: itself, a label it carries, or all."""
        labels = TenantLabel.objects.filter(tenant=tenant).values("name")
        return self.filter(Q(scope=Grant.Scope.ALL) | Q(tenant=tenant) | Q(scope=Grant.Scope.LABEL, label__in=labels))


class Grant(models.Model):
    """Subject (a user or a team) x role x scope, with an optional end. The only way to get access to a tenant.

    A membership is a grant without an end, a support pass one with an end, a reason and a ticket.
    """

    class Scope(models.TextChoices):
        TENANT = "tenant", "One tenant"
        LABEL = "label", "Every tenant with a label"
        ALL = "all", "Every tenant"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(User, null=True, blank=True, on_delete=models.CASCADE, related_name="grants")
    team = models.ForeignKey(Team, null=True, blank=True, on_delete=models.CASCADE, related_name="grants")
    role = models.ForeignKey(Role, on_delete=models.PROTECT, related_name="grants")
    scope = models.CharField(max_length=8, choices=Scope, default=Scope.TENANT)
    tenant = models.ForeignKey(Tenant, null=True, blank=True, on_delete=models.CASCADE, related_name="grants")
    label = models.CharField(max_length=40, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    reason = models.CharField(max_length=300, blank=True)
    ticket = models.CharField(max_length=80, blank=True)
    granted_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    granted_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = GrantQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["granted_at", "id"]
        constraints: ClassVar = [
            models.CheckConstraint(
                name="grant_has_one_subject",
                condition=Q(user__isnull=False, team__isnull=True) | Q(user__isnull=True, team__isnull=False),
            ),
            models.CheckConstraint(
                name="grant_scope_is_whole",
                condition=Q(scope="tenant", tenant__isnull=False, label="")
                | (Q(scope="label", tenant__isnull=True) & ~Q(label=""))
                | Q(scope="all", tenant__isnull=True, label=""),
            ),
        ]

    def __str__(self) -> str:
        where = {"tenant": str(self.tenant), "label": f"every tenant labelled {self.label}", "all": "every tenant"}
        return f"{self.user or self.team}: {self.role} at {where[self.scope]}"

    @property
    def is_pass(self) -> bool:
        """A time-boxed support pass rather than a membership."""
        return self.expires_at is not None

    @property
    def is_expired(self) -> bool:
        return self.expires_at is not None and self.expires_at <= timezone.now()


class Invitation(models.Model):
    """A link that lets one person set a password and receive one grant; the link's secret is kept as a digest only."""

    LIFETIME: ClassVar = timedelta(days=7)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    email = models.EmailField()
    name = models.CharField(max_length=120, blank=True)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="invitations")
    role = models.ForeignKey(Role, on_delete=models.PROTECT, related_name="+")
    # What the grant will be: its end, and why, as the inviter gave them.
    access_expires_at = models.DateTimeField(null=True, blank=True)
    reason = models.CharField(max_length=300, blank=True)
    ticket = models.CharField(max_length=80, blank=True)
    digest = models.BinaryField(max_length=32, unique=True)
    invited_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    invited_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["-invited_at"]

    def __str__(self) -> str:
        return f"{self.email} to {self.tenant}"

    @property
    def is_open(self) -> bool:
        now = timezone.now()
        is_access_over = self.access_expires_at is not None and self.access_expires_at <= now
        return self.accepted_at is None and self.expires_at > now and not is_access_over


class DataKey(models.Model):
    """A wrapped encryption key of one tenant, or of what the company shares (`tenant` None). See `console.crypto`."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey(Tenant, null=True, on_delete=models.CASCADE, related_name="data_keys")
    wrapped_with = models.CharField(max_length=40)
    wrapped = models.BinaryField()
    is_current = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["tenant"], condition=Q(is_current=True, tenant__isnull=False), name="one_current_key_per_tenant"
            ),
            # NULLs are distinct in a unique index, so the shared key needs a constraint of its own.
            models.UniqueConstraint(
                fields=["is_current"], condition=Q(is_current=True, tenant=None), name="one_current_shared_key"
            ),
        ]

    def __str__(self) -> str:
        return f"data key {self.id}"
