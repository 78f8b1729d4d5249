-- Who follows the other service is a table of the platform: consumer_leader. A replica of before, which asks for this one,
-- leaves the following to those that know the other.
DROP TABLE consumer_lease;
